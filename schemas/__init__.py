"""The ground: records, ids, manifests, recipes and errors, as every other package and program knows them."""

DEFAULT_WORKSPACE = "corpus"
"""Folder, relative to the current one, in which raw files, tasks, versions and models lie."""
