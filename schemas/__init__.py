"""Records, ids, manifests, recipes and errors: the definitions that all other packages share."""

DEFAULT_WORKSPACE = "corpus"
"""Folder for raw files, tasks, versions and models, relative to the current one."""
