"""Repositories with code: their files at a revision, languages, licenses, and which files nobody wrote."""
