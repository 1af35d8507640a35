"""Find pages in sitemaps, feeds and lists of URLs."""
