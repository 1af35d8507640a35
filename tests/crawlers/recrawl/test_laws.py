"""What is published after each night is what the site offers, whatever it did and wherever the recrawl was killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator

from corpusmill.crawlers.load import changed_files
from corpusmill.schemas.crawl_source import Recrawl
from corpusmill.schemas.crawled_page import CrawledPage
from corpusmill.schemas.crawled_pages import read_crawled_pages
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import open_store
from tests.crawlers.recrawl.sites import NIGHT, Nights, gone, tagged
from tests.crawlers.sites import SITE_FILES, Answer, Site, ledger, page, serve, source_of

NAMES = tuple(f"/p{number}" for number in range(8))
XML = {"Content-Type": "application/xml"}
KINDS = ("same", "same", "same", "changed", "404", "410", "500", "301", "302", "noindex", "header", "new")
MISSING = {"404", "410", "302"}
"""Answers after which a page is gone if they come twice in a row."""
REFUSING = {"301", "noindex", "header"}
"""Answers after which a page is gone at once."""


@dataclass
class World:
    """A site whose pages change at random, and what a recrawl must publish of it.

    Args:
        texts: The text of each page that was published after the last night, by path.
        misses: Nights in a row on which a page was missing.
        lost: Pages whose archive was damaged before the night.
    """

    chance: random.Random
    site: Site
    night: int = 0
    kinds: dict[str, str] = field(default_factory=dict)
    now: dict[str, str] = field(default_factory=dict)
    disallowed: frozenset[str] = frozenset()
    is_down: bool = False
    texts: dict[str, str] = field(default_factory=dict)
    misses: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def change(self, *, is_up: bool) -> None:
        """Change the site for the next night."""
        self.night += 1
        for path in NAMES:
            kind = self.chance.choice(KINDS)
            if kind in ("changed", "new") or path not in self.now:
                self.now[path] = f"The text of {path} in night {self.night}."
            self.kinds[path] = kind
            self.site.answers[path] = self._answer(path, kind)
        self.disallowed = frozenset(self.chance.sample(NAMES, self.chance.choice((0, 0, 1, 2))))
        self.is_down = self.chance.random() < 0.15 and not is_up
        listed = self.chance.sample(NAMES, 4)
        entries = "".join(f"<url><loc>{path}</loc></url>" for path in listed)
        links = self.chance.sample(NAMES, 6)
        self.now["/"] = f"Night {self.night}."
        self.site.answers |= {
            "/": tagged(page(*links, text=f"Night {self.night}.")),
            "/s.xml": Answer(f"<urlset>{entries}</urlset>", headers=XML),
            "/robots.txt": self._robots(),
        }

    def _robots(self) -> Answer:
        if self.is_down:
            return Answer(status=503)
        lines = "".join(f"Disallow: {path}$\n" for path in sorted(self.disallowed))
        return Answer(f"User-agent: *\n{lines}Disallow: /none\n", headers={"Content-Type": "text/plain"})

    def _answer(self, path: str, kind: str) -> Answer:
        if kind in ("301", "302"):
            return Answer(status=int(kind), headers={"Location": "/target"})
        if kind.isdigit():
            return Answer(kind, status=int(kind))
        head = '<meta name="robots" content="noindex">' if kind == "noindex" else ""
        answer = page(text=self.now[path], head=head)
        return tagged(answer, **({"X-Robots-Tag": "noindex"} if kind == "header" else {}))

    def expect(self, asked: set[str]) -> None:
        """Compute what is published after a night in which the pages *asked* were requested."""
        for path in ("/", *NAMES):
            kind = self.kinds.get(path, "changed")
            if self.is_down:
                continue
            if path in self.disallowed:
                self._remove(path)
            elif path not in asked:
                continue
            elif kind in REFUSING or (kind in MISSING and self.misses.get(path, 0) > 0):
                self._remove(path)
            elif kind in MISSING and path in self.texts:
                self.misses[path] = 1
            elif kind in ("same", "changed", "new"):
                self.texts[path] = self.now[path]
                self.misses[path] = 0
                self.lost.discard(path)
        for path in self.lost:
            self.texts.pop(path, None)
        self.lost = set()

    def _remove(self, path: str) -> None:
        if self.texts.pop(path, None) is not None:
            self.misses[path] = 2


def published(raw_dir: Path, manifest: RawManifest) -> dict[str, CrawledPage]:
    """Return the pages that a run publishes, by path."""
    rows = [row for name in manifest.pages for row in read_crawled_pages(open_store(raw_dir), name)]
    here = [row for row in rows if row.kind == "page" and row.gone is None and row.file is not None]
    return {"/" + row.url.split("/", 3)[3]: row for row in here}


def body_of(raw_dir: Path, known: CrawledPage) -> str:
    """Return the body that the archive has of a page, at the place that the table names."""
    assert known.file is not None
    assert known.offset is not None
    with (raw_dir / known.file).open("rb") as file:
        file.seek(known.offset)
        record = next(iter(ArchiveIterator(file)))
        assert record.headers["WARC-Target-URI"] == known.address
        return str(record.reader.read().decode())


CODE = """
import sys
from datetime import datetime
from pathlib import Path
from corpusmill.crawlers.crawl import crawl
from corpusmill.schemas.crawl_source import CrawlSource
from tests.crawlers.sites import QUICK
source = CrawlSource.model_validate_json(sys.argv[1], strict=True)
crawl(source, Path(sys.argv[2]), limits=QUICK, recrawl=True, now=datetime.fromisoformat(sys.argv[3]))
"""


def kill_next(nights: Nights, *, after: int) -> None:
    """Start the recrawl of the next night, and kill it *after* so many requests."""
    site, now = nights.site, NIGHT + timedelta(days=nights.night + 1)
    source = source_of(site, **nights.options).model_dump_json()
    asked = len(site.seen)
    command = [sys.executable, "-c", CODE, source, str(nights.raw_dir), now.isoformat()]
    process = subprocess.Popen(command, start_new_session=True, env=os.environ)
    while len(site.seen) < asked + after and process.poll() is None:
        time.sleep(0.002)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def damage(world: World, raw_dir: Path, manifest: RawManifest) -> None:
    """Damage one of the archives, or remove it."""
    file = world.chance.choice(manifest.files)
    path = raw_dir / file.path
    rows = published(raw_dir, manifest)
    world.lost = {name for name in world.texts if rows[name].file == file.path}
    if world.chance.random() < 0.5:
        path.unlink()
    else:
        body = bytearray(path.read_bytes())
        body[world.chance.randrange(len(body))] ^= 0xFF
        path.write_bytes(bytes(body))


def check(world: World, raw_dir: Path, manifest: RawManifest, asked: set[str]) -> None:
    """Compare what is published with what *world* expects after a night in which the pages *asked* were requested."""
    rows = published(raw_dir, manifest)
    assert rows.keys() == world.texts.keys()
    assert manifest.counts["pages"] == len(rows)
    assert {path for path, text in world.texts.items() if text not in body_of(raw_dir, rows[path])} == set()
    assert changed_files(manifest, raw=raw_dir) == []
    redirects = {path for path, kind in world.kinds.items() if kind in ("301", "302")}
    explained = {*ledger(raw_dir, manifest), *gone(raw_dir, manifest), *redirects}
    assert asked - rows.keys() - explained - SITE_FILES <= {"/s.xml"}


@pytest.mark.parametrize(
    ("seed", "days", "nights"),
    [
        pytest.param(1, None, 6),
        *(pytest.param(seed, days, 16, marks=pytest.mark.slow) for seed in (2, 3, 4) for days in (None, 2)),
    ],
)
def test_a_night_publishes_what_the_site_offers(tmp_path: Path, seed: int, days: int | None, nights: int) -> None:
    """The rest is gone or in the ledger. Nights on which the crawl is killed or an archive is damaged do not differ."""
    raw_dir = tmp_path / "raw" / "site"
    with serve({}) as site:
        world = World(random.Random(seed), site)
        bounds = None if days is None else Recrawl.model_validate({"min_interval": f"{days}d", "max_interval": "5d"})
        source = Nights(site, raw_dir, sitemaps=(site.url + "/s.xml",), recrawl=bounds)
        manifest: RawManifest | None = None
        for night in range(nights):
            world.change(is_up=manifest is None)
            if manifest is not None and not world.is_down and world.chance.random() < 0.2:
                damage(world, raw_dir, manifest)
            before = len(site.seen)
            if manifest is not None and world.chance.random() < 0.3:
                kill_next(source, after=world.chance.randrange(12))
            again = RawManifest.model_validate_json((raw_dir / "manifest.json").read_bytes()) if manifest else None
            try:
                if again == manifest:
                    manifest = source.crawl(recrawl=night > 0)
                else:  # the process ended before it was killed
                    manifest, source.night = again, source.night + 1
            except UnfinishedError:
                assert world.is_down
                continue
            asked = set(site.paths[before:])
            world.expect(asked)

            assert manifest is not None
            check(world, raw_dir, manifest, asked)
