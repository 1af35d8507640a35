"""A source is compared with its definition at the time when it was acquired, perhaps by an earlier version."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from corpusmill.pipelines.planning.definitions import changed_fields
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.raw import RawManifest


@pytest.mark.parametrize(("cookies", "changes"), [(False, {}), (True, {"cookies": (None, True)})])
def test_a_switch_that_did_not_exist_counts_as_off(cookies: bool, changes: dict[str, tuple[None, bool]]) -> None:
    """A new version must not refuse to run a recipe that did not change."""
    source = CrawlSource(name="a", start_urls=("https://a.org/",), contact="mailto:a@a.org", cookies=cookies)
    fields = source.model_dump(mode="json", exclude={"cookies"})
    about = {"source": "a", "kind": "crawl", "format": "warc", "finished": True, "files": ()}
    raw = RawManifest(**about, created_at=datetime(2026, 1, 1, tzinfo=UTC), definition=fields)

    assert changed_fields(source, raw) == changes
