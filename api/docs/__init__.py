"""The API document and every page made from it; see docs/explain/architecture.md."""
