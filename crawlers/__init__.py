"""Acquire sources of records: a crawler, and loaders of files. Both produce files with a manifest."""
