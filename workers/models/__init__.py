"""Model Protocols and one adapter a library. The only modules that import model libraries."""
