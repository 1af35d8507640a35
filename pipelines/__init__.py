"""Turn raw files into a version: recipes, plans, stages, engines, publication and reports."""
