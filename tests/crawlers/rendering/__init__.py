"""Pages that need JavaScript."""
