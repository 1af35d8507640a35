"""From a recipe to the steps that an engine runs."""
