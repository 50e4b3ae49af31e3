"""Webhooks: subscribing, and the one sender of all API processes."""
