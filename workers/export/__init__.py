"""Cutting clips out of media files. `cutting.py` is what others call; it knows no Redis."""
