"""The API document and every page made from it; see docs/architecture.md."""
