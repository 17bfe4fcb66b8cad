"""Memories on disk: one bounded SQLite file per stream, and folders of them."""
