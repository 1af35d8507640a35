"""A crawl with `render: true`, in a real Chromium, against a real server whose log shows every request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import WarcRecordType

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.job import Limits
from corpusmill.pipelines.dataset.version import version_in
from corpusmill.schemas.crawl_source import Recrawl
from corpusmill.schemas.raw import RawManifest
from corpusmill.terminal.figures import crawled_lines
from tests.crawlers.recrawl.sites import records, tagged
from tests.crawlers.rendering.chromium import NEEDS_CHROMIUM
from tests.crawlers.sites import CONTACT, SITE_FILES, Answer, Site, archived, ledger, page, pages, serve, source_of
from tests.test_promises import run_once

pytestmark = NEEDS_CHROMIUM
LIMITS = Limits(timeout_s=5.0, max_bytes=200_000, retries=0, backoff_s=0.01, render_timeout_s=2.0)
SCRIPT = {"Content-Type": "text/javascript"}
FILL = "fetch('/d.json').then(r => r.json()).then(d => {document.querySelector('#a').innerHTML = d.text})"
TEXT = "The ferry to the island leaves at nine, and the last one returns before sunset."


def html(body: str, head: str = "", **headers: str) -> Answer:
    headers = {"Content-Type": "text/html; charset=utf-8", **headers}
    return Answer(f"<!doctype html><title>t</title>{head}<body>{body}", headers=headers)


SHELL = html("<p id=a>loading</p><img src=/i.png><script src=/s.js></script>")
SCRIPTS = {
    "/s.js": Answer(FILL, headers=SCRIPT),
    "/d.json": Answer(f'{{"text": "{TEXT} <a href=/b>Zürich</a>"}}', headers={"Content-Type": "application/json"}),
}


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def rendered_crawl(site: Site, raw_dir: Path, **options: object) -> RawManifest:
    return crawl(source_of(site, render=True, **options), raw_dir, limits=LIMITS)


def table(path: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a table of the version at *path*, by the last part of their id."""
    rows = [row for batch in version_in(path).batches(name) for row in batch.to_pylist()]
    return {row["source_id"].rpartition("/")[2]: row for row in rows}


def test_what_scripts_write_is_published_and_the_response_is_kept(tmp_path: Path) -> None:
    """A URL that two pages need is requested once. Opt-outs count in the response, the markup and what scripts add."""
    noai = "<meta name=robots content=noai>"
    added = "const m = document.createElement('meta'); m.name = 'robots'; m.content = '{}'; document.head.append(m)"
    answers = {
        **SCRIPTS,
        "/": SHELL,
        "/b": html(
            "<p id=a>x</p><a href=/c>c</a><a href=/d>d</a><a href=/e>e</a><a href=/f>f</a><script src=/s.js></script>"
        ),
        "/c": html(f"<p>{TEXT} C</p>", **{"X-Robots-Tag": "noai"}),
        "/d": html(f"<p>{TEXT} D</p><script>document.querySelector('meta').remove()</script>", noai),
        "/e": html(f"<p>{TEXT} E</p><script>{added.format('noml')}</script>"),
        "/f": html(f"<p>{TEXT} F</p><script>{added.format('noindex')}</script>"),
    }
    recipe = tmp_path / "recipe.yaml"
    with serve(answers) as site:
        crawl = (
            f"{{name: s, start_urls: ['{site.url}/'], contact: {CONTACT}, delay: 0, allow_private: true, render: true}}"
        )
        recipe.write_text(f"dataset: d\nsources:\n  - crawl: {crawl}\nstages: [extract]\n")
        result, _ = run_once(recipe, tmp_path / "corpus")

    published, refused = table(Path(result["path"]), "shard"), table(Path(result["path"]), "ledger")
    assert sorted(set(site.paths) - SITE_FILES) == ["/", "/b", "/c", "/d", "/d.json", "/e", "/f", "/s.js"]
    assert len(site.paths) == len(set(site.paths))
    assert {name: row["text"] for name, row in published.items()} == {"": f"{TEXT} Zürich", "b": f"{TEXT} Zürich"}
    assert {name: row["rule"] for name, row in refused.items()} == {
        "c": "optout.noai",
        "d": "optout.noai",
        "e": "optout.noml",
    }
    assert result["counts"]["read"] == 5
    raw_dir = tmp_path / "corpus" / "raw" / "s"
    assert (f"{site.url}/", 200, str(SHELL.body).encode()) in archived(raw_dir)
    assert "f" not in refused


def test_what_a_crawl_may_not_do_is_refused_and_recorded(raw_dir: Path) -> None:
    """Neither a path that robots.txt forbids nor a host that forbids everything is asked, and the ledger says so.

    A page whose scripts do not end is set aside, and the links of its response are followed.
    """
    robots = {"Content-Type": "text/plain"}
    forbidding = {"/robots.txt": Answer("User-agent: *\nDisallow: /", headers=robots)}
    with serve(forbidding, host="127.0.0.2", generate=lambda path: page()) as other:
        script = f"fetch('/private/d'); fetch('{other.url}/d'); document.querySelector('#a').textContent = 'new'"
        answers = {
            "/robots.txt": Answer("User-agent: *\nDisallow: /private/", headers=robots),
            "/": html(f"<p id=a>old</p><script>{script}; location.href = '/next'</script>"),
            "/next": html("<a href=/last>last</a><script>while (true) {}</script>"),
            "/last": html("<p>last"),
            "/private/d": page(),
        }
        with serve(answers) as site:
            manifest = rendered_crawl(site, raw_dir)

    assert set(site.paths) == {*SITE_FILES, "/", "/next", "/last"}
    assert other.paths == ["/robots.txt"]
    assert pages(raw_dir) == ["/", "/last"]
    assert ledger(raw_dir, manifest) == {
        "/private/d": "robots.disallowed",
        f"{other.url}/d": "robots.disallowed",
        "/next": "render.timeout",
    }


def test_what_a_page_wanted_and_did_not_get_is_counted(raw_dir: Path) -> None:
    """Pictures and frames cannot change the text of a page, so no request is sent, but none is refused silently."""
    parts = "<img src=/1.png><img src=/2.png><iframe src=/frame></iframe><p id=a>old</p>"
    script = "<script>new WebSocket('ws://' + location.host + '/socket')</script>"
    with serve({"/": html(f"{parts}{script}<a href=/b>b</a>"), "/b": html("<p>b<img src=/1.png>")}) as site:
        manifest = rendered_crawl(site, raw_dir)

    counts = {name: n for name, n in manifest.counts.items() if name.startswith("unanswered.")}
    assert counts == {"unanswered.frame": 1, "unanswered.image": 3, "unanswered.websocket": 1}
    assert not {"/1.png", "/2.png", "/socket"} & set(site.paths)
    assert "cannot change the text: 3 × image, 1 × frame, 1 × websocket" in "\n".join(crawled_lines(manifest))


def test_a_recrawl_renders_each_page_again(raw_dir: Path) -> None:
    """The response of the server can stay the same while what scripts load changes."""
    shell = tagged(SHELL)
    with serve({**SCRIPTS, "/": shell, "/b": tagged(html(f"<p>{TEXT} B</p>"))}) as site:
        first = rendered_crawl(site, raw_dir)
        asked = len(site.headers)
        site.answers["/d.json"] = Answer(f'{{"text": "{TEXT} Today. <a href=/b>b</a>"}}', headers=SCRIPT)

        second = crawl(source_of(site, render=True), raw_dir, limits=LIMITS, recrawl=True)

    assert not any("If-None-Match" in headers for headers in site.headers[asked:])
    assert [name for name in ("new", "changed", "revisits", "gone") if second.counts[name]] == ["changed"]
    assert (first.counts["pages"], second.counts["pages"], second.counts["changed"]) == (2, 2, 1)
    rendered = records(raw_dir, WarcRecordType.conversion, number=1)
    assert sorted(record["WARC-Target-URI"] for record in rendered) == [f"{site.url}/", f"{site.url}/b"]


@pytest.mark.slow
def test_a_rendered_page_that_is_not_due_leaves_when_robots_txt_forbids_it(raw_dir: Path) -> None:
    """The visit of its site has no response to render."""
    weeks = Recrawl.model_validate({"min_interval": "7d", "max_interval": "30d"})
    source = {"render": True, "recrawl": weeks}
    with serve({**SCRIPTS, "/": SHELL, "/b": html(f"<p>{TEXT} B</p>")}) as site:
        crawl(source_of(site, **source), raw_dir, limits=LIMITS)
        asked = len(site.paths)
        site.answers["/robots.txt"] = Answer("User-agent: *\nDisallow: /b\n", headers={"Content-Type": "text/plain"})

        second = crawl(source_of(site, **source), raw_dir, limits=LIMITS, recrawl=True)

    assert (second.counts["pages"], second.counts["gone"]) == (1, 1)
    assert ledger(raw_dir, second)["/b"] == "robots.disallowed"
    assert "/b" not in site.paths[asked:]


def test_a_page_that_cannot_be_rendered_in_a_recrawl_stays_as_it_was(raw_dir: Path) -> None:
    """A failure of the browser is no statement of the site."""
    with serve({**SCRIPTS, "/": SHELL, "/b": html(f"<p>{TEXT} B</p>")}) as site:
        rendered_crawl(site, raw_dir)
        site.answers["/b"] = html("<script>for (;;) {}</script>")

        second = crawl(source_of(site, render=True), raw_dir, limits=LIMITS, recrawl=True)

    assert (second.counts["pages"], second.counts["carried"], second.counts["gone"]) == (2, 1, 0)
    assert [file.path for file in second.files] == ["site-00000.warc.gz", "site-00001.warc.gz"]
