"""Versions: their files, their manifest, the catalog, and what can be asked of them."""
