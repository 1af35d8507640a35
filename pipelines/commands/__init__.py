"""The commands of the corpus side; each is imported when it is called."""
