"""Loaders: one module a format, named in `corpusmill.crawlers.registry`."""
