"""HTTP routes: one module per resource, each a few functions from body to answer."""
