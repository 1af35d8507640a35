"""Decide what is known about each address after a crawl: still there, changed, missing or gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from corpusmill.crawlers.recrawl.intervals import missing_rule, next_interval_s
from corpusmill.crawlers.recrawl.known import Result
from corpusmill.schemas.crawled_page import CrawledPage

if TYPE_CHECKING:
    from corpusmill.schemas.crawl_source import Recrawl


def pages_after(
    results: Iterable[Result], *, at: int, bounds: Recrawl | None, counts: Counter[str], archives: set[str]
) -> Iterator[CrawledPage]:
    """Yield what is known after a crawl that started *at* (microseconds).

    Args:
        counts: Counts what became of pages, as `recrawl_counts` names them.
        archives: Receives the names of the archives that have the body of a page, or of a file of a site. Those of a
            page that is gone are among them, because the ledger of a version lists its captures.
    """
    for result in results:
        page = page_after(result, at=at, bounds=bounds)
        if page is not None:
            counts.update(_fates(result, page))
            if page.file is not None and page.kind != "redirect":
                archives.add(page.file)
            yield page


def recrawl_counts(counts: Counter[str]) -> dict[str, int]:
    """Return the counts of a recrawl for the raw manifest: the pages there are now, and what became of them.

    `revisits` are pages whose body is stored already, `carried` pages that were not asked for or did not answer, `gone`
    pages that the crawl before had, and `lost` pages that did not answer and whose body no archive has any more.
    """
    return {name: counts[name] for name in ("pages", "revisits", "new", "changed", "carried", "gone", "lost")}


def page_after(result: Result, *, at: int, bounds: Recrawl | None) -> CrawledPage | None:
    """Return what is known about the address of *result* now; None if it is of no use to a recrawl."""
    before, after = result.before, result.after
    if after is None:
        assert before is not None, "an address without a capture was known before"
        return _without_body(before if result.rule is None else _refused(before, result, at=at, bounds=bounds))
    if before is not None and before.kind == "page" and before.file is not None and after.kind == "redirect":
        return _missed(before, None, status=after.status, message=f"to {after.location}", at=at, bounds=bounds)
    is_changed = before is None or before.text_digest != after.text_digest
    return replace(
        after,
        first_fetched_at=at if before is None else before.first_fetched_at,
        asked_at=at,
        interval_s=next_interval_s(0 if before is None else before.interval_s, changed=is_changed, bounds=bounds),
    )


def _without_body(page: CrawledPage | None) -> CrawledPage | None:
    """Return *page*; if its body is lost, it is due in the next recrawl, whatever its interval is."""
    if page is None or page.kind != "page" or page.file is not None or page.gone is not None:
        return page
    return replace(page, asked_at=None, captured_at=None)


def _refused(before: CrawledPage, result: Result, *, at: int, bounds: Recrawl | None) -> CrawledPage | None:
    if before.kind == "page":
        return _missed(before, result.rule, message=result.message, at=at, bounds=bounds)
    # A redirect that no longer works is found again if a page links to it.
    return None if (result.rule or "").startswith("http.4") else before


def _missed(
    before: CrawledPage,
    rule: str | None,
    *,
    status: int | None = None,
    message: str | None,
    at: int,
    bounds: Recrawl | None,
) -> CrawledPage:
    """Return *before*, which is not a page now. Its reason stays the first one, so that the next version is equal."""
    misses, gone = missing_rule(rule, status=status, misses=before.misses)
    if misses == before.misses:
        return before
    if before.gone is not None:
        return replace(before, asked_at=at, misses=misses)
    page = replace(before, asked_at=at, misses=misses, interval_s=next_interval_s(0, changed=True, bounds=bounds))
    return page if gone is None else replace(page, gone=gone, gone_message=message, gone_at=at)


def _fates(result: Result, page: CrawledPage) -> Iterator[str]:
    before = result.before
    was_published = before is not None and before.kind == "page" and before.gone is None and _had_body(before)
    if page.kind != "page" or page.gone is not None:
        if was_published:
            yield "gone"
        return
    if page.file is None:
        yield "lost"
        return
    yield "pages"
    if result.after is None or result.after.kind != "page":
        yield "carried"
        return
    if not was_published or before is None:
        yield "new"
    elif before.text_digest != page.text_digest:
        yield "changed"
    if before is not None and (page.file, page.offset) == (before.file, before.offset):
        yield "revisits"


def _had_body(before: CrawledPage) -> bool:
    """Return whether an archive had the body of *before* when the crawl before was published."""
    return before.captured_at is not None
