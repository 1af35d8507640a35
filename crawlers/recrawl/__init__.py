"""Recrawls: ask for known pages on condition that they changed, and decide which pages are due, changed or gone."""
