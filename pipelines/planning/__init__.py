"""Turns a recipe into the steps that an engine runs."""
