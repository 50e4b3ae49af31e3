"""The HTTP and Socket.IO process. Knows status codes, never a model library or a decoder."""
