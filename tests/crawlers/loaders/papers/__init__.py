"""Loaders of papers."""
