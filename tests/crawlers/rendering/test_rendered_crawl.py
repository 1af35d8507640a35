"""A crawl with `render: true`, in a real Chromium, against a real server whose log shows every request."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.job import Limits
from corpusmill.crawlers.loaders.warc import Warc
from corpusmill.crawlers.rendering.browser import find_browser
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.loaders.reading import rows
from tests.crawlers.sites import Answer, Site, ledger, serve, source_of


def _missing() -> str | None:
    if find_spec("playwright") is None:
        return "the extra `browser` is not installed"
    try:
        find_browser()
    except UsageError as error:
        return str(error)
    return None


pytestmark = pytest.mark.skipif(_missing() is not None, reason=_missing() or "")
LIMITS = Limits(timeout_s=5.0, max_bytes=200_000, retries=0, backoff_s=0.01, render_timeout_s=2.0)
SCRIPT = {"Content-Type": "text/javascript"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def _crawl(site: Site, raw_dir: Path, *paths: str, limits: Limits = LIMITS, **options: object) -> RawManifest:
    return crawl(source_of(site, *paths, render=True, **options), raw_dir, limits=limits)


def _html(body: str, head: str = "") -> Answer:
    return Answer(f"<!doctype html><title>t</title>{head}<body>{body}")


def contents(raw_dir: Path, site: Site) -> dict[str, str]:
    """Return the content of each document in the archives, by path."""
    offers = [row for path in sorted(raw_dir.glob("*.warc.gz")) for row in rows(Warc(), path)]
    return {row["url"].removeprefix(site.url): (row["content"] or b"").decode() for row in offers}


def test_the_text_that_scripts_write_is_archived_beside_the_response(raw_dir: Path) -> None:
    """Scripts and the JSON that they fetch are requested once, although two pages need them. Images are not."""
    script = "fetch('/d.json').then(r => r.json()).then(d => {document.querySelector('#a').innerHTML = d.text})"
    html = _html("<p id=a>loading</p><img src=/i.png><script src=/s.js></script>")
    data = Answer('{"text": "Grüße <a href=/b>b</a>"}', headers=JSON)
    answers = {"/": html, "/b": html, "/s.js": Answer(script, headers=SCRIPT), "/d.json": data}
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir)

    assert contents(raw_dir, site).keys() == {"/", "/b"}
    assert '<p id="a">Grüße <a href="/b">b</a></p>' in contents(raw_dir, site)["/b"]
    assert sorted(
        path for path in site.paths if path not in ("/robots.txt", "/ai.txt", "/.well-known/tdmrep.json")
    ) == ["/", "/b", "/d.json", "/s.js"]
    assert manifest.counts["pages"] == 2
    assert ledger(raw_dir, manifest) == {}
