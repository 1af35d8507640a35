"""From raw files to a version: recipes, plans, stages, engines, publication and reports."""
