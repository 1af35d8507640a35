"""Boilerplate learned across the pages of a site: text pieces that are on most of its pages are cut."""
