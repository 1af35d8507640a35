"""Bytes to characters: one way for pages and for files."""
