"""Loaders: one module a format, named in `crawlers.registry`."""
