"""Remove documents whose vectors point in nearly the same direction."""
