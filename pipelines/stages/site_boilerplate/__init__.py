"""Boilerplate learned across the pages of one site: which pieces of text stand on most of them, and cutting those."""
