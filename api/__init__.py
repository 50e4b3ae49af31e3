"""The HTTP and Socket.IO process. Knows status codes; never imports a model library or a decoder."""
