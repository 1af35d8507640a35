"""The section on crawls: what was fetched and refused, of bounded size, and without an effect on the version."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from corpusmill.command import main
from corpusmill.pipelines.reports.findings import findings
from corpusmill.pipelines.reports.page import MAX_BYTES, render
from corpusmill.pipelines.reports.report import make_report, report
from corpusmill.schemas.crawl_statistics import (
    MAX_HOSTS,
    MAX_INTERVALS,
    CrawlStatistics,
    DepthStatistics,
    HostStatistics,
    Interval,
    Timeline,
)
from tests.crawlers.sites import CONTACT, Answer, page, serve
from tests.pipelines.reports.corpus import HOSTILE

TEXT = "The harbor was quiet in the morning, and the boats had been out since four o'clock with their nets. "
ROBOTS = "User-agent: *\nDisallow: /private/\n\nUser-agent: GPTBot\nDisallow: /reserved\n"
ANSWERS = {
    "/robots.txt": Answer(ROBOTS, headers={"Content-Type": "text/plain"}),
    "/": page("/a", "/private/b", "/gone", "/reserved", "/noai", "/z", text=TEXT * 4),
    "/a": page("/more", text=TEXT * 5),
    "/reserved": page(text=TEXT * 6),
    "/noai": page(text=TEXT * 7, head='<meta name="robots" content="noai">'),
    "/z": page(text=TEXT * 8),
}


def _run(capsys: pytest.CaptureFixture[str], folder: Path, *options: str, name: str = "run") -> dict[str, Any]:
    arguments = [name, str(folder / "recipe.yaml"), "--workspace", str(folder / "w"), "--json", *options]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out = capsys.readouterr().out
    assert not ended.value.code, out
    return dict(json.loads(out))


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe that crawls the folder's `site`; the command's handlers of signals would outlive the test."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return tmp_path / "recipe.yaml"


def _write(recipe: Path, url: str) -> None:
    fields = {
        "name": "site",
        "start_urls": [url],
        "contact": CONTACT,
        "delay": 0,
        "allow_private": True,
        "max_pages": 5,
    }
    recipe.write_text(json.dumps({"dataset": "d", "sources": [{"crawl": fields}], "stages": ["extract"]}))


def test_a_report_shows_the_crawl_with_verdicts_and_evidence(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands and the report have the same figures, and every URL is under its kind of rule."""
    with serve(ANSWERS) as site:
        _write(recipe, f"{site.url}/")
        crawled = _run(capsys, tmp_path, name="crawl")
        result = _run(capsys, tmp_path, "--workers", "0")
    content = json.loads((Path(result["path"]) / "report.json").read_text())
    html = (Path(result["path"]) / "report.html").read_text()

    (crawl,) = content["crawls"]
    statistics = CrawlStatistics.model_validate_json(json.dumps(crawled["statistics"]))
    assert statistics.without_examples().as_json() == result["crawls"]["site"]
    assert crawl["statistics"] == {name: value for name, value in result["crawls"]["site"].items() if name != "rules"}
    kinds = {kind: {rule["rule"]: rule["pages"] for rule in rules} for kind, rules in crawl["rules"].items()}
    assert kinds == {
        "verdicts": {"robots.disallowed": 1, "optout.agents": 1, "optout.noai": 1},
        "errors": {"http.404": 1},
        "budgets": {"budget.pages": 1},
        "others": {},
    }
    section = re.sub(r"\s+", " ", html[html.index('<section id="crawls">') : html.index('<section id="licenses">')])
    assert '<li><a href="#crawls">Crawls</a></li>' in html
    assert "robots.txt: User-agent: GPTBot; Disallow: /reserved" in section
    assert f"{site.url}/more" in section, "the URL that the budget cut"
    assert '<path class="accent"' in section, "the picture of the crawl"
    assert '<tr><td>200, archived</td><td class="n">5</td>' in section
    assert '<tr><td>127.0.0.1</td><td class="n">5</td><td class="n">0</td><td class="n">3</td>' in section


def test_a_comparison_has_the_crawls_of_both_versions(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A site that began to refuse pages shows in the comparison, not only in two reports side by side."""
    with serve(ANSWERS) as site:
        _write(recipe, f"{site.url}/")
        first = _run(capsys, tmp_path, "--workers", "0")
        site.answers["/z"] = page(text=TEXT * 8, head='<meta name="robots" content="noai">')
        del site.answers["/a"]
        _run(capsys, tmp_path, name="crawl")
        second = _run(capsys, tmp_path, "--workers", "0")
    make_report(Path(second["path"]), compare=Path(first["path"]), out=tmp_path)

    (crawl,) = json.loads((tmp_path / "report.json").read_text())["comparison"]["crawls"]
    html = (tmp_path / "report.html").read_text()
    section = html[html.index('<section id="crawls">') : html.index('<section id="licenses">')]
    differences = {
        part: {row["label"]: row["difference"] for row in crawl[part] if row["difference"]}
        for part in ("results", "verdicts")
    }
    assert differences == {
        "results": {"200, archived": -1, "404": 1, "not requested": -1},
        "verdicts": {"optout.noai": 1},
    }
    assert f"site, compared with d@{first['version']}" in section
    assert "<th>Robots and opt-outs</th>" in section


def test_the_version_does_not_depend_on_how_the_crawl_went(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crawl of the same pages at another speed gives the same version, and every step is reused."""
    with serve(ANSWERS) as site:
        _write(recipe, f"{site.url}/")
        first = _run(capsys, tmp_path, "--workers", "0")
        path = tmp_path / "w/raw/site/manifest.json"
        manifest = json.loads(path.read_text())
        manifest["statistics"]["duration_s"] *= 100
        path.write_text(json.dumps(manifest))
        slower = _run(capsys, tmp_path, "--workers", "0")
        path.write_text(json.dumps({name: value for name, value in manifest.items() if name != "statistics"}))
        earlier_release = _run(capsys, tmp_path, "--workers", "0", "--fresh")

    assert slower["crawls"]["site"]["duration_s"] == pytest.approx(100 * first["crawls"]["site"]["duration_s"])
    assert {result["version"] for result in (slower, earlier_release)} == {first["version"]}
    assert (slower["status"], earlier_release["status"]) == ("unchanged", "unchanged")
    assert all(step["cached"] for step in slower["steps"])
    assert earlier_release["crawls"] == {}


def _crawl(name: str, **changes: Any) -> dict[str, Any]:
    hosts = tuple(HostStatistics(host=f"{n}{HOSTILE * 20}", pages=n) for n in range(MAX_HOSTS + 1))
    statistics = CrawlStatistics(
        **dict.fromkeys(("pages", "redirects", "refused", "requests", "bytes"), 10**9),
        **dict.fromkeys(("duration_s", "pages_per_s", "latest_pages_per_s"), 1e6),
        processes=3,
        results={str(status): 10**6 for status in range(400, 600)},
        hosts=hosts,
        depths=tuple(DepthStatistics(depth=depth, pages=10**6) for depth in range(30)),
        rules=(),
        timeline=Timeline(intervals=tuple(Interval(pages=n, others=n) for n in range(1, MAX_INTERVALS + 1))),
    )
    examples = [{"url": HOSTILE * 10, "message": HOSTILE * 10}] * 5
    rules = [{"rule": f"{n}{HOSTILE * 3}", "pages": 10**6, "examples": examples} for n in range(100)]
    kinds = dict.fromkeys(("verdicts", "errors", "budgets", "others"), rules)
    return {"source": name, "statistics": statistics.as_json(), "rules": kinds, "errors": 10**9, **changes}


def test_the_page_is_small_however_many_crawls_there_are(figures: dict[str, Any]) -> None:
    """Hosts and messages come from the web, so they are shortened and escaped."""
    crawls = [_crawl(f"crawl-{number}") for number in range(200)]

    html = render(report({**figures, "crawls": crawls}))

    assert len(html.encode()) <= MAX_BYTES
    assert HOSTILE not in html
    assert "crawl-0" in html
    assert "without the time between a process and the next" in html


def test_a_crawl_of_an_earlier_release_has_its_rules(figures: dict[str, Any]) -> None:
    """Its manifest has no statistics, but the URLs that were not fetched must not disappear from the report."""
    html = render(report({**figures, "crawls": [_crawl("old", statistics=None)]}))

    section = html[html.index('<section id="crawls">') : html.index('<section id="licenses">')]
    assert "<h3>old</h3>" in section
    assert section.count("1,000,000") > 4
    assert "<svg" not in section


@pytest.mark.parametrize(
    ("rule", "failed", "text"),
    [
        ("http.503", 20, "18.2 % of the URLs requested for `site` failed: `http.503` (20)."),
        ("error.timeout", 9, None),
        ("http.404", 20, None),
    ],
)
def test_a_crawl_with_many_failures_has_a_warning(
    figures: dict[str, Any], rule: str, failed: int, text: str | None
) -> None:
    """Part of the site is missing then. Broken links are the site's own."""
    rules = {**dict.fromkeys(("verdicts", "budgets", "others"), ()), "errors": [{"rule": rule, "pages": failed}]}
    crawl = _crawl("site", rules=rules, errors=failed)
    crawl["statistics"] |= {"pages": 85, "redirects": 5}

    warnings = {f["text"] for f in findings({**figures, "crawls": [crawl]}) if f["code"] == "crawl_errors"}

    assert warnings == ({text} if text else set())


def test_a_version_without_crawls_has_no_such_section(figures: dict[str, Any]) -> None:
    """An empty heading would suggest that something is missing."""
    assert figures["crawls"] == []
    assert "crawls" not in render(report(figures))
