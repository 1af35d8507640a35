"""Decoding of web pages and text files."""
