"""Start a project, inspect the user's files, and check the machine."""
