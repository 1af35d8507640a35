"""The error of a crawl that fetched no page, for a reason that a retry would not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from corpusmill.schemas.errors import SourceError
from corpusmill.schemas.recipe import CrawlSource

_BEGINNINGS: Final = ("start_urls", "sitemaps", "feeds", "urls")
"""Fields that name the addresses at which a crawl begins."""


def nothing_fetched(source: CrawlSource, seen: Mapping[str, str | None], why: str) -> SourceError:
    """Return the error of the crawl of *source*, with the field of the recipe to change.

    Args:
        seen: The rules that refused URLs, with a message of each.
        why: The rules and messages as text.
    """
    values = _beginnings(source)
    field, value = next(iter(values.items()))
    names = _listed(values)
    hint = _hint(seen, names, has_lists=bool(values.keys() - {"start_urls"}))
    if "address.private" in seen and not source.allow_private:
        field, value, hint = "allow_private", False, "set `allow_private: true` if this address is intended"
    problem = f"crawl of {source.name}: nothing could be fetched: {why}"
    return SourceError(problem, field=field, value=value, hint=hint)


def _beginnings(source: CrawlSource) -> dict[str, Any]:
    """Return the fields of *source* that are set and name addresses, with their values."""
    return {name: value for name in _BEGINNINGS if (value := getattr(source, name))}


def _listed(names: Mapping[str, Any]) -> str:
    """Return *names* as text.

    >>> _listed({"feeds": True}), _listed({"sitemaps": True, "feeds": True, "urls": "urls.txt"})
    ('`feeds`', '`sitemaps`, `feeds` or `urls`')
    """
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} or {last}" if others else last


def _hint(seen: Mapping[str, str | None], names: str, *, has_lists: bool) -> str:
    if "robots.disallowed" in seen:
        return f"the site does not permit it; ask its owner, or name another site in {names}"
    if "robots.crawl_delay" in seen:
        return f"ask the owner of the site for a shorter Crawl-delay, or name another site in {names}"
    if "scope.offsite" in seen:
        return f"the page redirects or leads to another host; name that host in {names}"
    if not seen and has_lists:
        return f"name at least one address of a page in {names}"
    return f"correct the addresses in {names}"
