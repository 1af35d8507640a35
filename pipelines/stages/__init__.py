"""The stages, one module or folder for each."""
