"""Loaders: one module per format, listed in `corpusmill.crawlers.registry`."""
