"""Redis clients, and what is kept in Redis beside the ledger."""
