"""`explain` answers for what a crawl has fetched and no version has: redirects, new pages, pages that are gone."""

from __future__ import annotations

import pytest

from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.crawled_page import CrawledPage
from corpusmill.schemas.crawled_pages import write_tables
from corpusmill.schemas.identity import document_id
from tests.pipelines.dataset.corpora import write_raw

SITE = "https://example.org"
ASKED = "2026-11-30T02:00:00+00:00"
PAGES = (
    CrawledPage(f"{SITE}/gone", "page", f"{SITE}/gone", 404, gone="gone.404", gone_message="HTTP/1.1 404"),
    CrawledPage(
        f"{SITE}/new", "page", f"{SITE}/new", 200, depth=1, referrer=f"{SITE}/", asked_at=1_796_004_000_000_000
    ),
    CrawledPage(f"{SITE}/old", "redirect", f"{SITE}/old", 301, location=f"{SITE}/new"),
    CrawledPage(f"{SITE}/robots.txt", "site", f"{SITE}/robots.txt", 200),
)


@pytest.fixture
def site(workspace: Workspace) -> Workspace:
    """Return a workspace with a finished crawl whose pages no run has read yet."""
    folder = workspace.root / "raw/site"
    folder.mkdir(parents=True)
    write_tables(iter(PAGES), known=folder / "pages-00000.parquet", gone=folder / "gone-00000.parquet")
    write_raw(workspace, "site", [], kind="crawl", pages=("pages-00000.parquet",))
    return workspace


def test_a_redirect_is_explained_by_its_target(site: Workspace) -> None:
    """It is no document, but a link may name it, so users ask for it."""
    explanation = explain(f"{SITE}/old#top", site)

    assert (explanation["status"], explanation["target"]) == ("redirected", f"{SITE}/new")
    assert explanation["id"] == document_id("site", f"{SITE}/old")
    assert [step["message"] for step in explanation["trail"]] == [f"to {SITE}/new (301)"]


@pytest.mark.parametrize("by_id", [False, True])
def test_a_page_that_waits_for_a_run_is_known(site: Workspace, *, by_id: bool) -> None:
    """After `crawl`, and after a run that its checks failed, no version has the page."""
    url = f"{SITE}/new"

    explanation = explain(document_id("site", url) if by_id else url, site)

    assert (explanation["status"], explanation["url"], explanation["versions"]) == ("fetched", url, [])
    assert explanation["source"]["referrer"] == f"{SITE}/"
    assert explanation["source"]["at"] == ASKED


def test_a_page_that_is_gone_has_the_reason(site: Workspace) -> None:
    """A version that has the page may have been removed."""
    explanation = explain(f"{SITE}/gone", site)

    assert explanation["status"] == "rejected"
    assert [(step["rule"], step["message"]) for step in explanation["trail"]] == [("gone.404", "HTTP/1.1 404")]


@pytest.mark.parametrize("name", ["robots.txt", "never-linked"])
def test_what_is_not_a_page_stays_unknown(site: Workspace, name: str) -> None:
    """The files that speak for a site are no documents."""
    assert explain(f"{SITE}/{name}", site)["status"] == "unknown"
