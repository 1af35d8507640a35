"""Decide whether two definitions of a source describe the same crawl."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import ValidationError

from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.recipe import CrawlSource

_NOT_THE_CRAWL: Final = frozenset(("name", "contact", "delay", "refresh", "respect", "recrawl"))
"""Fields of a source that may change during a crawl, because they do not affect what is fetched."""


def definition(source: CrawlSource) -> str:
    """Return the fields of *source* that decide what is fetched, as canonical JSON."""
    return json.dumps(source.model_dump(mode="json", exclude=set(_NOT_THE_CRAWL)), sort_keys=True)


def stored_definition(frontier: Frontier) -> dict[str, Any]:
    """Return the definition of the crawl of *frontier*, which an earlier version may have stored with more fields."""
    stored: dict[str, Any] = json.loads(frontier.get("definition") or "{}")
    return {name: value for name, value in stored.items() if name not in _NOT_THE_CRAWL}


def allows_budget(source: CrawlSource, frontier: Frontier) -> bool:
    """Return whether the crawl of *frontier* differs from *source* in `max_pages` alone, and has no page too many."""
    is_same = stored_definition(frontier) | {"max_pages": source.max_pages} == json.loads(definition(source))
    return is_same and (source.max_pages is None or frontier.pages <= source.max_pages)


def is_same_crawl(source: CrawlSource, published: RawManifest) -> bool:
    """Return whether *published* is a crawl of *source*, perhaps with a smaller `max_pages`."""
    try:
        before = CrawlSource.model_validate_json(json.dumps(published.definition), strict=True)
    except ValidationError:
        return False
    budgets = (before.max_pages, source.max_pages)
    is_larger = budgets[1] is None or (budgets[0] is not None and budgets[0] <= budgets[1])
    return is_larger and definition(before.model_copy(update={"max_pages": source.max_pages})) == definition(source)
