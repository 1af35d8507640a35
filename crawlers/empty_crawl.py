"""Explain why a crawl fetched no page, and what its owner can do about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from corpusmill.crawlers.frontier.ledger import LedgerRow
from corpusmill.crawlers.frontier.refusal import UNREACHABLE
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import SourceError, UnfinishedError


def empty_crawl(source: CrawlSource, rows: Iterable[LedgerRow]) -> SourceError | UnfinishedError:
    """Return the error for a crawl of *source* without a page; *rows* are its ledger.

    Its field is the first one that names addresses. It names each rule with its number of URLs and its first one. An
    `UnfinishedError` means that a retry may help.
    """
    first: dict[str, tuple[str, str | None]] = {}
    urls: dict[str, int] = {}
    for url, _, _, rule, message, _ in rows:
        first.setdefault(rule, (url, message))
        urls[rule] = urls.get(rule, 0) + 1
    why = "; ".join(_reason(rule, *first[rule], others=urls[rule] - 1) for rule in sorted(first))
    problem = f"crawl of `{source.name}`: nothing could be fetched: {why or f'{_fields(source)} list no page'}"
    transient = [rule for rule in first if rule in UNREACHABLE or rule.startswith("http.5") or rule == "http.429"]
    if transient:
        url = first[transient[0]][0]
        hint = f"check that {url} can be reached from this machine, then run the same command again"
        return UnfinishedError(problem, hint=hint)
    is_private = "address.private" in first and not source.allow_private
    field = "allow_private" if is_private else _beginnings(source)[0]
    return SourceError(problem, field=field, value=getattr(source, field), hint=_hint(source, first))


def _reason(rule: str, url: str, message: str | None, *, others: int) -> str:
    """Return what happened to the URLs with one *rule*.

    >>> _reason("http.404", "https://example.org/", "HTTP/1.1 404 Not Found", others=2)
    'http.404: https://example.org/ and 2 more (HTTP/1.1 404 Not Found)'
    """
    return f"{rule}: {url}" + f" and {others:,} more" * (others > 0) + (f" ({message})" if message else "")


def _hint(source: CrawlSource, rules: Collection[str]) -> str:
    fields = _fields(source)
    if "address.private" in rules and not source.allow_private:
        return "set `allow_private: true` if this address is intended"
    if "robots.disallowed" in rules:
        return f"the site does not permit it: ask its owner, or choose other addresses in {fields}"
    if "robots.crawl_delay" in rules:
        return f"ask the owner of the site for a shorter Crawl-delay, or choose other addresses in {fields}"
    if "scope.offsite" in rules:
        return f"the address redirects to another host: use that host in {fields}"
    if "content.not_html" in rules:
        return f"only web pages and plain text are crawled: choose other addresses in {fields}"
    if "robots.noindex" in rules:
        return f"the pages ask not to be kept: ask the owner of the site, or choose other addresses in {fields}"
    if not rules and _beginnings(source) != ["start_urls"]:
        return f"name at least one address of a page in {fields}"
    return f"correct the addresses in {fields}"


def _beginnings(source: CrawlSource) -> list[str]:
    """Return the fields of *source* that name addresses: those at which the crawl starts."""
    return [name for name in ("start_urls", "sitemaps", "feeds", "urls") if getattr(source, name)]


def _fields(source: CrawlSource) -> str:
    return " and ".join(f"`{name}`" for name in _beginnings(source))
