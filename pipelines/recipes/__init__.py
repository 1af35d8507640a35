"""A recipe file: read with every problem reported, and described as JSON Schema."""
