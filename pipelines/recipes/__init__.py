"""Read recipe files, report all their problems, and describe them as JSON Schema."""
