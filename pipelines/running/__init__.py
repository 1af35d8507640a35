"""One execution of a recipe."""
