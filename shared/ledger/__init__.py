"""The ledger of Tasks and Items in Redis, and the jobs that wake workers."""
