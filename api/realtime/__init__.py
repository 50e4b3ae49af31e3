"""Socket.IO: rooms, events and who was sent what."""
