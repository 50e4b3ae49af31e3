"""Tasks: analyze, follow, cancel; waking workers and sweeping the ledger."""
