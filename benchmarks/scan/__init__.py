"""Tests and measurements of the crawler's scan of a page (`crawlers/native`)."""
