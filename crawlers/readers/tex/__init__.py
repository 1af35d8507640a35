"""Reads LaTeX and plain TeX: tokens, macros of the author, and the text of a paper."""
