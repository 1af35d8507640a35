from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from corpusmill.pipelines.reports.page import MAX_BYTES, difference, render
from corpusmill.pipelines.reports.report import make_report, report
from tests.pipelines.reports.corpus import HOSTILE, Capture, captures, make_version, measured

VOID = {"meta", "br", "link", "hr", "img", "input", "wbr"}


class Page(HTMLParser):
    """Collects the elements, links and ids of a page, and checks the nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="session")
def html(version: Path) -> str:
    return (version / "report.html").read_text()


def test_report_json_holds_all_figures_and_findings(version: Path, figures: dict[str, Any]) -> None:
    """Programs need the same figures as people."""
    content = json.loads((version / "report.json").read_text())

    assert content["sizes"] == figures["sizes"]
    assert content["findings"]
    assert content["comparison"] is None


def test_the_page_is_whole_and_its_contents_lead_somewhere(html: str) -> None:
    """Elements are nested correctly, ids are unique, and internal links have targets."""
    page = Page(html)

    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    inner = {str(a["href"])[1:] for _, a in page.elements if str(a.get("href", "")).startswith("#")}
    assert page.open == []
    assert len(ids) == len(set(ids))
    assert inner <= set(ids)


def test_the_page_has_no_script_and_loads_nothing(html: str) -> None:
    """The page can be opened offline and contacts no server."""
    page = Page(html)

    loading = [(tag, a) for tag, a in page.elements if {"src", "srcset", "data", "action", "poster"} & set(a)]
    assert loading == []
    assert {tag for tag, _ in page.elements} & {"script", "link", "iframe", "object", "embed", "img", "base"} == set()
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_text_from_the_data_stays_text(html: str) -> None:
    """Markup in a title must be escaped."""
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    assert "<b>not</b>" not in html


def test_only_web_addresses_become_links(tmp_path: Path) -> None:
    """`javascript:` links from the data must not be clickable."""
    items = [
        Capture("s", "1", "one text", title="a", url="javascript:alert(1)"),
        Capture("s", "2", "another text", title="b", url="https://example.org/?q='\"><i>"),
    ]
    make_report(make_version(tmp_path / "v", items))

    page = Page((tmp_path / "v/report.html").read_text())

    links = [a for tag, a in page.elements if tag == "a" and not str(a["href"]).startswith(("#", "report", "README"))]
    assert {a["href"] for a in links} == {"https://example.org/?q='\"><i>"}
    assert all("nofollow" in str(a["rel"]) for a in links)


def test_the_law_is_shown_with_its_check_mark(html: str, figures: dict[str, Any]) -> None:
    """The conservation of records is shown first."""
    assert "400 read = 250 published + 150 in the ledger" in html
    assert "<b>✓</b>" in html
    broken = {**figures, "conservation": {**figures["conservation"], "holds": False}}
    assert "<b>✗</b>" in render(report(broken))


def test_the_page_is_small_however_large_the_corpus_is(tmp_path: Path) -> None:
    """The version has many sources, rules, licenses, domains and years, and long texts that need escaping."""
    items = []
    for index in range(600):
        text = ('&<>"' * 400) + f" number {index}"
        capture = measured(
            Capture(f"source-{index % 150}", str(index), text, title="&" * 500, url="https://example.org/" + "&" * 900)
        )
        items.append(
            replace(
                capture,
                language=f"l{index % 90}",
                license=f"LicenseRef-{index % 300}-{'&' * 80}",
                published_at=datetime(1700 + index % 320, 1, 1, tzinfo=UTC),
            )
            if index % 2
            else replace(
                capture, stage="quality", rule=f"rule.{index % 120}{'&' * 90}", value=1.0, threshold=2.0 + index
            )
        )
    make_report(make_version(tmp_path / "v", items))

    assert (tmp_path / "v/report.html").stat().st_size <= MAX_BYTES < 300_000


def test_examples_get_shorter_before_the_page_gets_too_large(figures: dict[str, Any]) -> None:
    """The limit also holds for text with five bytes per character."""
    bound = figures["bounds"][0]
    swollen = {**bound, "nearest_kept": [{**item, "text": "&" * 300} for item in bound["nearest_kept"]] * 40}

    page = render(report({**figures, "bounds": [swollen] * 12}))

    assert len(page.encode()) <= MAX_BYTES
    assert "&amp;" * 160 not in page


@pytest.mark.parametrize(
    "missing", [{"signals": False}, {"near_dedup": False}, {"licenses": False}, {"signals": False, "near_dedup": False}]
)
def test_a_version_with_fewer_stages_has_a_report(tmp_path: Path, missing: dict[str, Any]) -> None:
    """Figures that were not measured must not be shown as 0."""
    make_report(make_version(tmp_path / "v", **missing))

    page = (tmp_path / "v/report.html").read_text()

    assert Page(page).open == []
    assert ("not checked" in page) == ("near_dedup" in missing)


@pytest.mark.parametrize("records", [0, 60])
def test_a_version_without_documents_has_a_report(tmp_path: Path, records: int) -> None:
    """Users look for the reason of an empty version in its report."""
    rejected = [c for c in captures() if c.stage == "quality"][:records]
    make_report(make_version(tmp_path / "v", rejected))

    page = (tmp_path / "v/report.html").read_text()

    assert Page(page).open == []
    assert "No document is published" in page


def test_the_same_folder_gives_the_same_report(version: Path, tmp_path: Path) -> None:
    """The report does not depend on time, paths or threads, so it can be compared."""
    copy = shutil.copytree(version, tmp_path / "elsewhere")
    make_report(copy)

    for name in ("report.json", "report.html"):
        assert (copy / name).read_bytes() == (version / name).read_bytes()


def test_a_comparison_gives_differences_to_another_version(version: Path, tmp_path: Path) -> None:
    """Differences of main figures, sources and rules are this version minus the other one."""
    other = make_version(tmp_path / "other", [c for c in captures() if c.source != "readmes"])
    make_report(version, compare=other, out=tmp_path)

    content = json.loads((tmp_path / "report.json").read_text())["comparison"]

    rows = {row["label"]: row for row in content["figures"]}
    assert (rows["Documents"]["here"], rows["Documents"]["there"], rows["Documents"]["difference"]) == (250, 160, 90)
    assert rows["Published share"]["difference"] == pytest.approx(250 / 400 - 160 / 275)
    assert {row["label"]: row["difference"] for row in content["sources"]} == {"site": 0, "readmes": 90, "licences": 0}
    assert {row["label"]: row["difference"] for row in content["rules"]}["gopher.alphabetic_words"] == 20
    page = (tmp_path / "report.html").read_text()
    assert re.search(r"Compared with handbook@[0-9a-f]{16}", page)
    ids = [json.loads((place / "manifest.json").read_text())["version"][:8] for place in (version, other)]
    assert page.count(f'<th class="n mono">{ids[0]}</th><th class="n mono">{ids[1]}</th>') == 3


def test_a_report_elsewhere_leaves_the_version_alone(version: Path, tmp_path: Path) -> None:
    """A comparison must not change a published folder."""
    before = {path.name: path.read_bytes() for path in version.iterdir()}

    make_report(version, compare=version, out=tmp_path)

    assert {path.name: path.read_bytes() for path in version.iterdir()} == before


@pytest.mark.parametrize(
    ("here", "there", "kind", "text"),
    [
        (12, 10, "count", "+2 (+20 %)"),
        (10, 10, "count", "="),
        (5, 0, "count", "+5"),
        (None, 3, "count", "–"),
        (0.5, 0.625, "percent", "−12.5 points"),
        (1000, 10, "size", "+990 B (+99 ×)"),
    ],
)
def test_differences_have_a_sign_and_a_relation(here: float | None, there: float, kind: str, text: str) -> None:
    """Shares differ in points; numbers also have a relative difference."""
    number = None if here is None else here - there

    assert difference({"difference": number, "kind": kind, "there": there}) == text
