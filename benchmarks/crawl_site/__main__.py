"""Crawl the HTML documentation of PostgreSQL behind nginx on 127.0.0.7, and compare with the log of the server.

    apt-get install nginx postgresql-doc-15
    python -m benchmarks.crawl_site kills            # pages and records lost or doubled after `kill -9`
    python -m benchmarks.crawl_site recrawl          # what is requested and stored again, and what `diff` says
    python -m benchmarks.crawl_site cpu [--rounds 3] # CPU beside a plain Scrapy `CrawlSpider`

`kills` ends with code 1 if a page or record is lost or doubled, or if a kill repeats more than 16 requests. `recrawl`
ends with code 1 if a request for a page of the unchanged site is not conditional, if a body is stored twice or a step
computed again, or if `diff` does not have exactly the pages that changed, vanished and appeared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.crawl_site.cost import costs, ratio
from benchmarks.crawl_site.killed import kills
from benchmarks.crawl_site.recrawled import recrawls
from benchmarks.crawl_site.server import nginx
from benchmarks.runs.measuring import machine, print_table

MAX_REPEATED: Final = 16
"""Requests that a kill may repeat: one per connection (`CONCURRENT_REQUESTS` of the crawl)."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kills", "recrawl", "cpu"))
    parser.add_argument("--rounds", type=int, default=3, help="crawls of each tool for `cpu` [default: 3]")
    options = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory(prefix="crawl-site-") as folder, nginx(Path(folder)) as site:
        if options.what == "kills":
            rows = kills(site)
            print_table(rows)
            wrong = [one for one in rows if one["lost"] or one["records lost"] or one["records doubled"]]
            sys.exit(bool(wrong or any(one["requests repeated"] > MAX_REPEATED * one["kills"] for one in rows)))
        if options.what == "recrawl":
            rows = recrawls(site)
            print_table(rows)
            sys.exit(not all(one["as expected"] for one in rows))
        rows = costs(site, options.rounds)
        print_table(rows)
        print(f"CPU of corpusmill / Scrapy: {ratio(rows):.2f}")


if __name__ == "__main__":
    main()
