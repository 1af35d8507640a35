"""Tests of the loader of PDF files."""
