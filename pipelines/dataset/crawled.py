"""Explain a URL that is in no version by what the crawls of the workspace know of it: their ledgers and page tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.dataset.evidence import robots
from corpusmill.pipelines.dataset.inspect import plain_rows
from corpusmill.pipelines.dataset.refused import ledger_batches
from corpusmill.pipelines.dataset.trail import PASSED, REJECTED
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.crawled_pages import crawled_page_batches
from corpusmill.schemas.error_rules import CRAWL_RULES
from corpusmill.schemas.identity import ID_LENGTH, document_id
from corpusmill.schemas.urls import canonical_url

MIN_PREFIX: Final = 6
"""Fewest characters that may abbreviate a document's id."""
UNKNOWN, FETCHED, REDIRECTED = "unknown", "fetched", "redirected"
"""Statuses of what is in no version. A `fetched` page waits for a run that publishes it or lists it in a ledger."""


def crawled(name: str, workspace: Workspace) -> dict[str, Any] | None:
    """Explain the page *name* (a URL, or an id or the beginning of one) by the last crawl of each source.

    Its `status` is ``rejected`` if the crawl refused or failed to fetch it, or if it is gone; ``redirected``, with the
    target in the message of its step; or ``fetched``. The result is None if no crawl has such a page.

    Raises:
        DamagedFileError: A ledger or a table of pages is missing or unreadable.
    """
    by_id = re.fullmatch(rf"[0-9a-f]{{{MIN_PREFIX},{ID_LENGTH}}}", name) is not None
    names = set(spellings(name))
    for rows, explained in ((_refused_pages, _refused_page), (_archived_pages, _archived_page)):
        for source, row in rows(workspace, None if by_id else names):
            canonical = spellings(row["url"])[0]
            identity = document_id(source, canonical)
            if identity.startswith(name) if by_id else {row["url"], canonical} & names:
                return explained(workspace, identity, source, row)
    return None


def refused_now(workspace: Workspace, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the last crawl's ledger row for a document that was fetched before, if there is one."""
    urls = {row["url"], row["source_id"]} - {None}
    return next((page for source, page in _refused_pages(workspace, urls) if source == row["source"]), None)


def spellings(name: str) -> list[str]:
    """Return *name*, after its canonical form if it is a URL."""
    try:
        return list(dict.fromkeys([canonical_url(name), name]))
    except ValueError:
        return [name]


def unknown(name: str) -> dict[str, Any]:
    """Return the explanation of what no version and no crawl has."""
    is_id = re.fullmatch(rf"[0-9a-f]{{{ID_LENGTH}}}", name) is not None
    return {
        "id": name if is_id else None,
        "url": name if "://" in name else None,
        "status": UNKNOWN,
        "versions": [],
        "trail": [],
        "duplicate_of": None,
        "source": {},
    }


def _refused_pages(workspace: Workspace, urls: set[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each source with the rows of its ledger, or those about *urls*."""
    for source in workspace.sources():
        manifest = workspace.raw_manifest(source)
        batches = ledger_batches(workspace.raw(source), manifest) if manifest is not None else iter(())
        yield from ((source, row) for row in _rows_about(urls, batches))


def _archived_pages(workspace: Workspace, urls: set[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each source with the pages and redirects that its crawl knows, or those with *urls*."""
    for source in workspace.sources():
        manifest = workspace.raw_manifest(source)
        for table in manifest.pages if manifest is not None else ():
            rows = _rows_about(urls, crawled_page_batches(workspace.raw(source), table))
            yield from ((source, row) for row in rows if row["kind"] != "site")


def _rows_about(urls: set[str] | None, batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    values = pa.array(sorted(urls or ()), pa.string())
    for batch in batches:
        rows = batch if urls is None else batch.filter(pc.is_in(batch["url"], value_set=values))
        yield from plain_rows(pa.Table.from_batches([rows]))


def _refused_page(workspace: Workspace, identity: str, source: str, row: dict[str, Any]) -> dict[str, Any]:
    message = row["message"] or CRAWL_RULES.get(row["rule"])
    step = {"stage": row["stage"], "rule": row["rule"], "verdict": REJECTED, "message": message}
    return _explanation(workspace, identity, source, row, REJECTED, step)


def _archived_page(workspace: Workspace, identity: str, source: str, row: dict[str, Any]) -> dict[str, Any]:
    row = {**row, "at": row["asked_at"]}
    if row["gone"] is not None:
        step = {"rule": row["gone"], "verdict": REJECTED, "message": row["gone_message"]}
        return _explanation(workspace, identity, source, row, REJECTED, step)
    if row["kind"] == "redirect":
        step = {"verdict": REDIRECTED, "message": f"to {row['location']} ({row['status']})"}
        return _explanation(workspace, identity, source, row, REDIRECTED, step) | {"target": row["location"]}
    return _explanation(workspace, identity, source, row, FETCHED, {"verdict": PASSED})


def _explanation(
    workspace: Workspace, identity: str, source: str, row: dict[str, Any], status: str, step: dict[str, Any]
) -> dict[str, Any]:
    return {
        **unknown(identity),
        "id": identity,
        "url": row["url"],
        "status": status,
        "trail": [{"stage": "crawl", "rule": None, "value": None, "threshold": None, **step}],
        "source": {
            "name": source,
            "kind": "crawl",
            **{name: row[name] for name in ("referrer", "depth", "at")},
            "robots": robots(workspace, source, row["url"]),
        },
    }
