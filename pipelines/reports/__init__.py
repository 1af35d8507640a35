"""Describe a version: quality report, data card and machine-readable description."""
