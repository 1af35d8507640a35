"""The crawl that is measured: its recipe, its command, and what is in its archives."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from fastwarc.warc import ArchiveIterator, WarcRecordType

from benchmarks.crawl_site.server import Nginx
from benchmarks.runs.inputs import Installation

SOURCE: Final = "site"
DATASET: Final = "manual"


def recipe_of(site: Nginx, folder: Path, **fields: Any) -> Path:
    """Write a recipe that crawls *site* without waiting between requests; *fields* are added to its source."""
    source = {
        "name": SOURCE,
        "start_urls": [site.url],
        "contact": "mailto:benchmark@example.org",
        "delay": 0.0,
        "allow_private": True,
        "max_pages": None,
        **fields,
    }
    recipe = {"dataset": DATASET, "sources": [{"crawl": source}], "stages": ["extract"]}
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe))
    return path


def command(name: str, recipe: Path, *options: str) -> list[str]:
    """Return the command line of `corpusmill <name>` for *recipe*, with the workspace beside it."""
    return in_workspace_of(recipe, name, str(recipe), *options)


def in_workspace_of(recipe: Path, name: str, *arguments: str) -> list[str]:
    """Return the command line of `corpusmill <name>` in the workspace beside *recipe*."""
    return Installation().call(name, *arguments, "--workspace", str(recipe.parent / "corpus"))


class Archives(NamedTuple):
    """The records of pages in the archives of a crawl, by path: responses with status 200, and revisits."""

    responses: Counter[str]
    revisits: Counter[str]


def archives(recipe: Path) -> Archives:
    """Return what the archives of the crawl of *recipe* contain."""
    found = Archives(Counter(), Counter())
    kinds = WarcRecordType.response | WarcRecordType.revisit
    for path in sorted((recipe.parent / "corpus" / "raw" / SOURCE).rglob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=kinds):
                place = urlsplit(record.headers["WARC-Target-URI"]).path
                is_revisit = record.record_type == WarcRecordType.revisit
                if is_revisit:
                    found.revisits[place] += 1
                elif record.http_headers.status_code == 200 and place.endswith(".html"):
                    found.responses[place] += 1
    return found
