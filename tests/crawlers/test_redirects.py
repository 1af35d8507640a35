"""A redirect is followed to every address that was not requested before; a loop is in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.crawlers.crawl import crawl
from corpusmill.crawlers.frontier.entries import Link, Settled, State
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.loaders.warc import Warc
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.loaders.reading import rows
from tests.crawlers.sites import QUICK, SITE_FILES, Answer, Site, archived, ledger, page, pages, serve, source_of


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "site"


def _crawl(site: Site, raw_dir: Path, **options: object) -> RawManifest:
    return crawl(source_of(site, **options), raw_dir, limits=QUICK)


def _moved(location: str) -> Answer:
    # `send_header` writes Latin-1, so the bytes on the wire are those of UTF-8.
    return Answer(status=302, headers={"Location": location.encode().decode("latin-1")})


@pytest.mark.parametrize(
    ("link", "location", "source_id"),
    [
        ("/sorted?b=1&a=2", "/sorted?a=2&b=1", "/sorted?a=2&b=1"),
        ("/caf%c3%a9", "/caf%C3%A9", "/caf%C3%A9"),
        ("/tilde%7Ex", "/tilde~x", "/tilde~x"),
        ("/visit?id=1", "/visit?id=1&PHPSESSID=abc", "/visit?id=1"),
        ("/campaign", "/campaign?utm_source=home", "/campaign"),
        ("/brackets?p%5B%5D=1", "/brackets?p[]=1", "/brackets?p%5B%5D=1"),
        ("/empty", "/empty?", "/empty"),
        ("/full?", "/full", "/full"),
        ("/amp?&a=1", "/amp?a=1", "/amp?a=1"),
        ("/dots/x", "/dots/%78", "/dots/x"),
    ],
)
def test_a_redirect_to_another_spelling_is_followed(raw_dir: Path, link: str, location: str, source_id: str) -> None:
    """The page is archived once under its canonical URL, with both responses."""
    with serve({"/": page(link), link: _moved(location), location: page()}) as site:
        manifest = _crawl(site, raw_dir)

    assert ledger(raw_dir, manifest) == {}
    assert site.paths[-2:] == [link, location]
    assert manifest.counts["responses"] == len(archived(raw_dir))
    assert manifest.counts["redirects"] == 1
    documents = [row for file in manifest.files for row in rows(Warc(), raw_dir / file.path)]
    assert {row["source_id"] for row in documents} == {f"{site.url}/", site.url + source_id}


def test_a_detour_by_another_page_is_followed(raw_dir: Path) -> None:
    """Many sites test for cookies: /page, then /check, then /page with a session."""
    answers = {
        "/": page("/page", "/check"),
        "/page": _moved("/check"),
        "/check": _moved("/page?PHPSESSID=1"),
        "/page?PHPSESSID=1": page("/next"),
        "/next": page(),
    }
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir)

    assert pages(raw_dir) == ["/", "/next", "/page?PHPSESSID=1"]
    assert ledger(raw_dir, manifest) == {}
    assert len(site.paths) == len(set(site.paths))


@pytest.mark.parametrize(
    ("start", "moves", "looped"),
    [
        (("/a",), {"/a": "/a"}, "/a"),
        (("/a",), {"/a": "/b", "/b": "/a"}, "/b"),
        (("/a", "/b"), {"/a": "/b", "/b": "/a"}, "/b"),
        (("/b", "/c", "/a"), {"/a": "/b", "/b": "/c", "/c": "/a#top"}, "/a"),
        (("/a?x=1&y=2",), {"/a?x=1&y=2": "/a?y=2&x=1", "/a?y=2&x=1": "/a?x=1&y=2"}, "/a?y=2&x=1"),
        (("/a",), {"/a": "/b", "/b": "/a?gclid=1", "/a?gclid=1": "/b"}, "/a?gclid=1"),
    ],
)
def test_a_loop_is_in_the_ledger(raw_dir: Path, start: tuple[str, ...], moves: dict[str, str], looped: str) -> None:
    """The first address does not matter, and each is requested once."""
    with serve({"/": page(*start), **{path: _moved(target) for path, target in moves.items()}}) as site:
        manifest = _crawl(site, raw_dir)

    assert ledger(raw_dir, manifest) == {looped: "error.redirect_loop"}
    assert sorted(site.paths) == sorted([*SITE_FILES, "/", *moves])
    assert manifest.counts["responses"] == len(archived(raw_dir))


def test_ever_new_sessions_end(raw_dir: Path) -> None:
    """No address repeats, so the number of redirects is limited."""

    def generate(path: str) -> Answer | None:
        name, _, number = path.partition("?PHPSESSID=")
        return _moved(f"/a?PHPSESSID={int(number or 0) + 1}") if name == "/a" else None

    with serve({"/": page("/a")}, generate=generate) as site:
        manifest = _crawl(site, raw_dir)

    assert list(ledger(raw_dir, manifest).values()) == ["error.redirect_loop"]
    assert len(site.paths) == 12 + len(SITE_FILES)


def test_a_location_is_read_as_browsers_read_it(raw_dir: Path) -> None:
    """Real servers send raw UTF-8, three slashes, backslashes, tabs and spaces."""
    moves = {
        "/utf8": "/کوه",
        "/slashes": "///other.example/x",
        "/backslashes": "\\\\other.example\\y",
        "/blanks": " /a b\t ",
        "/relative": "./up/../c#part",
        "/query": "?d=1",
        "/scheme": "http:e",
        "/mail": "mailto:a@example.org",
    }
    targets = ["/%DA%A9%D9%88%D9%87", "/a%20b", "/c", "/query?d=1", "/e"]
    answers = {"/": page(*moves)} | {path: _moved(target) for path, target in moves.items()}
    with serve(answers | {target: page() for target in targets}) as site:
        manifest = _crawl(site, raw_dir)

    assert pages(raw_dir) == sorted(["/", *targets])
    assert ledger(raw_dir, manifest) == {
        "http://other.example/x": "scope.offsite",
        "http://other.example/y": "scope.offsite",
        "/mail": "error.bad_redirect",
    }


def test_robots_txt_is_followed_over_a_location_as_browsers_read_it(raw_dir: Path) -> None:
    """Otherwise its rules would be missed because of an unusual character."""
    forbids = Answer("User-agent: *\nDisallow: /a\n", headers={"Content-Type": "text/plain"})
    target = "/%D8%A2%D8%AF%D9%85"
    answers = {"/robots.txt": _moved("/آدم"), target: forbids, "/": page("/a"), "/a": page()}
    with serve(answers) as site:
        manifest = _crawl(site, raw_dir)

    assert ledger(raw_dir, manifest) == {"/a": "robots.disallowed"}


def test_a_redirect_to_another_spelling_survives_a_kill(tmp_path: Path) -> None:
    """The address is in the queue; if the redirect was lost, it is requested again before its target."""
    path = tmp_path / "queue.db"
    frontier = Frontier(path)
    frontier.seed([Link("http://a.example/?a&b", "http://a.example/?b&a", 0)])
    entry = frontier.take()
    assert entry is not None
    again = Link(entry.key, "http://a.example/?a&b", 0, redirects=1)
    frontier.settle(entry, Settled(State.REDIRECT, links=(again,)), file=0, end=9)
    frontier.close()

    frontier = Frontier(path)
    second = frontier.take()
    frontier.close()
    frontier = Frontier(path)
    frontier.requeue(file=0, after=0)
    queued = [frontier.take()]
    frontier.settle(queued[0], Settled(State.REDIRECT, links=(again,)), file=0, end=9)  # type: ignore[arg-type]
    queued.append(frontier.take())

    assert second is not None
    assert (second.key, second.url, second.redirects) == (entry.key, again.url, 1)
    assert [each and each.url for each in queued] == ["http://a.example/?b&a", "http://a.example/?a&b"]
    frontier.close()


def test_a_queue_of_another_format_starts_again(tmp_path: Path) -> None:
    """An unfinished crawl of an earlier version starts again, instead of failing on a missing column."""
    import sqlite3

    path = tmp_path / "queue.db"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE urls (id INTEGER PRIMARY KEY, host TEXT, state INTEGER)")
        old.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value)")
        old.execute("INSERT INTO meta VALUES ('finished', 0)")
    old.close()

    frontier = Frontier(path)

    assert frontier.get("finished") is None
    assert not frontier.has_work()
    frontier.close()
