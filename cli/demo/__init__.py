"""The demo: real footage through the public API of a running stack."""
