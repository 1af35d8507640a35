"""Pages that need JavaScript: a browser without a network of its own runs their scripts.

page ── crawl ──► response ── browser ──► rendered page ── archive, as a conversion of the response
                               │    ▲
                requests of scripts │ responses
                               ▼    │
                         robots.txt, addresses, delay, limits of the crawl
"""
