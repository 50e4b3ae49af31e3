"""Model Protocols and one adapter a library. The only modules that import model libraries."""

from shared.process import telemetry

telemetry.switch_off()
