"""Execute a recipe."""
