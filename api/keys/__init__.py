"""Licence keys, for administrators: list, make, revoke; and how much each is used."""
