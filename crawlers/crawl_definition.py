"""Decide whether two definitions of a source describe the same crawl."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import ValidationError

from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.schemas.crawl_source import BUDGET_FIELDS, CrawlSource, allows_budgets
from corpusmill.schemas.raw import RawManifest

_NOT_THE_CRAWL: Final = frozenset(
    ("name", "contact", "delay", "refresh", "respect", "recrawl", "select", "drop", "license")
)
"""Fields of a source that may change during a crawl, because they do not affect what is fetched."""
_ADDED_LATER: Final = {"cookies": False, "render": False}
"""Fields that are new, with what was the case without them."""


def definition(source: CrawlSource) -> str:
    """Return the fields of *source* that decide what is fetched, as canonical JSON."""
    return json.dumps(source.model_dump(mode="json", exclude=set(_NOT_THE_CRAWL)), sort_keys=True)


def stored_definition(frontier: Frontier) -> dict[str, Any]:
    """Return the definition of the crawl of *frontier*.

    An earlier version may have stored it with more fields, and without fields that are new.
    """
    stored: dict[str, Any] = json.loads(frontier.get("definition") or "{}")
    return _ADDED_LATER | {name: value for name, value in stored.items() if name not in _NOT_THE_CRAWL}


def allows_budget(source: CrawlSource, frontier: Frontier) -> bool:
    """Return whether the crawl of *frontier* differs from *source* in budgets alone, and has used no more than them."""
    before, new = stored_definition(frontier), json.loads(definition(source))
    is_same = before | {name: new[name] for name in BUDGET_FIELDS} == new
    return is_same and allows_budgets(source, before, pages=frontier.pages)


def is_same_crawl(source: CrawlSource, published: RawManifest) -> bool:
    """Return whether *published* is a crawl of *source*, perhaps with smaller budgets."""
    try:
        before = CrawlSource.model_validate_json(json.dumps(published.definition), strict=True)
    except ValidationError:
        return False
    old, new = json.loads(definition(before)), json.loads(definition(source))
    if old == new:  # with pages that are carried, a recrawl may have more of them than `max_pages`
        return True
    is_same = old | {name: new[name] for name in BUDGET_FIELDS} == new
    return is_same and allows_budgets(source, old, pages=published.counts.get("pages", 0))
