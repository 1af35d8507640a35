"""Which changes of a source start its crawl again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.pipelines.planning.definitions import describe_change
from tests.crawlers.sites import QUICK, SITE_FILES, page, pages, serve, source_of

LATER = ("select", "drop", "license", "render")
"""Fields of a source that earlier releases did not have."""


def test_a_crawl_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    """Its definition has none of the later fields, and is still that of the source."""
    raw_dir = tmp_path / "raw" / "site"
    with serve({"/": page("/a"), "/a": page()}) as site:
        first = crawl(source_of(site, max_pages=1), raw_dir, limits=QUICK)
        frontier = Frontier(tmp_path / "frontier" / "site.db")
        fields = json.loads(frontier.get("definition"))
        frontier.remember(definition=json.dumps({name: value for name, value in fields.items() if name not in LATER}))
        frontier.close()
        chosen = source_of(site, max_pages=2, select=("main",), drop=(".ad",), license="MIT")
        crawl(chosen, raw_dir, limits=QUICK, extend=True)

        assert [path for path in site.paths if path not in SITE_FILES] == ["/", "/a"]
        assert pages(raw_dir) == ["/", "/a"]
        earlier = {name: value for name, value in first.definition.items() if name not in LATER}
        raw = first.model_copy(update={"definition": earlier})
        assert describe_change(source_of(site, max_pages=1, select=("main",), license="MIT"), raw) is None


@pytest.mark.parametrize("render", [False, True])
def test_a_change_of_render_is_a_change_of_the_crawl(tmp_path: Path, render: bool) -> None:
    """Pages must be fetched again, because the archive has them in one form only."""
    with serve({"/": page()}) as site:
        raw = crawl(source_of(site), tmp_path / "raw" / "site", limits=QUICK)
        before = raw.model_copy(update={"definition": raw.definition | {"render": not render}})

        change = describe_change(source_of(site, render=render), before)

    shown = ("`true`", "not set") if before.definition["render"] else ("not set", "`true`")
    assert change == f"`render` was {shown[0]} when `site` was first crawled and is {shown[1]} now"
