"""Removal of repeated pieces of text: paragraphs and lines, across documents and within one."""
