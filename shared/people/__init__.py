"""People: Collections of faces, how they are grouped, and what users have said about them.

Everything lies in CACHE_DIR/collections; nothing here needs Redis or a model.
"""
