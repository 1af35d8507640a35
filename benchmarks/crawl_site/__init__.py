"""Measurements of crawls of one real site behind nginx."""
