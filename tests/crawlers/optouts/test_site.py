"""What robots.txt, tdmrep.json and ai.txt say about the pages of their site."""

from __future__ import annotations

import time
import tomllib
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from corpusmill.crawlers.frontier.robots import PRODUCT_TOKEN
from corpusmill.crawlers.loaders.warc import Warc
from corpusmill.crawlers.optouts.agents import DATA
from corpusmill.crawlers.optouts.paths import matches, target_of
from corpusmill.crawlers.optouts.robots import RobotsSignals, deciding, parse
from corpusmill.crawlers.optouts.site import SitePolicy
from corpusmill.crawlers.optouts.site_files import decoded, site_file
from corpusmill.schemas.optout_columns import SITE_FILE
from corpusmill.schemas.optouts import Signal
from tests.crawlers.loaders.reading import samples
from tests.crawlers.loaders.test_warc import record, response

GPT = "User-agent: GPTBot\nDisallow: /"
PATTERNS = st.text(st.sampled_from("/ab*$"), min_size=1, max_size=6).map("/{}".format)


def kinds(robots: str, path: str = "/a/b.html", **files: str) -> list[str]:
    """Return the kinds of the signals that apply to the page at *path*."""
    texts = {"/robots.txt": robots, "/ai.txt": files.get("ai", ""), "/.well-known/tdmrep.json": files.get("tdm", "")}
    policy = SitePolicy(texts)
    signals = policy.signals(f"https://a.example{path}", [])
    assert not (policy.is_silent and signals)
    return [signal.kind for signal in signals if signal.applies]


@pytest.mark.parametrize(
    ("robots", "expected"),
    [
        ("", []),
        (GPT, ["agents"]),
        ("user-agent : ccbot/2.0 # note\r\n disallow : /a", ["agents"]),
        ("User-agent: GPTBot\nDisallow:", []),
        ("User-agent: GPTBot\nDisallow: /\nAllow: /a/", []),
        ("User-agent: GPTBot\nUser-agent: otherbot\nDisallow: /a", ["agents"]),
        ("User-agent: otherbot\nDisallow: /", []),
        ("User-agent: Googlebot\nDisallow: /", []),
        ("User-agent: *\nDisallow: /", ["robots"]),
        ("User-agent: *\nDisallow: /\nUser-agent: corpusmill\nAllow: /", []),
        (f"User-agent: corpusmill\nAllow: /\n{GPT}", ["agents"]),
        (f"{GPT}\nSitemap: /s.xml\nUser-agent: GPTBot\nAllow: /a", []),
        ("User-agent: *\nContent-Usage: / train-ai=n\nContent-Usage: /a/ train-ai=y", []),
        ("User-agent: *\nContent-Usage: / train-ai=y\nContent-Usage: /a/ train-ai=n", ["content_usage"]),
        ("User-agent: *\nContent-Usage: /a train-ai=y\nContent-Usage: /a train-ai=n", ["content_usage"]),
        ("User-agent: *\nContent-usage: train-ai=n", ["content_usage"]),
        ("User-agent: otherbot\nContent-Usage: train-ai=n", []),
        ("Content-Signal: ai-train=no", ["content_signal"]),
        ("User-Agent: *\nContent-Signal: ai-train=no, search=yes, ai-input=yes\nAllow: /", ["content_signal"]),
        ("User-Agent: *\nContent-Signal: search=yes\nAllow: /", []),
        ("License: https://a.example/license.xml\nUser-agent: *\nAllow: /", ["rsl"]),
        ("License:\nLicence: x", []),
        ("\ufeffUser-agent: GPTBot\rDisallow: /", ["agents"]),
        ("Disallow: /\nUser-agent", []),
        ("<!doctype html><p>User-agent: GPTBot Disallow: /", []),
        (f"{'#' * 600_000}\n{GPT}", []),
    ],
)
def test_what_a_robots_txt_says_about_training(robots: str, expected: list[str]) -> None:
    """Only groups that name a training agent count, and of the others, those for this crawler."""
    assert kinds(robots) == expected


@pytest.mark.parametrize(
    ("ai", "path", "is_forbidden"),
    [
        ("User-Agent: *\nDisallow: /", "/a", True),
        ("User-Agent: *\nDisallow: *.html", "/a.html", True),
        ("User-Agent: *\nDisallow: *.html", "/a/", True),
        ("User-Agent: *\nDisallow: *.html", "/a.txt", False),
        ("User-Agent: *\nDisallow: *.jpg\nAllow: *.html", "/a", False),
        ("User-Agent: *\nDisallow: /\nAllow: *.html", "/a", False),
        ("User-Agent: GPTBot\nDisallow: /a", "/a", True),
        ("User-Agent: otherbot\nDisallow: /", "/a", False),
        ("Training: no", "/a", False),
    ],
)
def test_what_an_ai_txt_forbids(ai: str, path: str, is_forbidden: bool) -> None:
    """A page without a suffix is HTML."""
    assert kinds("", path, ai=ai) == ["ai_txt"] * is_forbidden


@pytest.mark.parametrize(
    ("locations", "is_reserved"),
    [
        ([("/", 1)], True),
        ([("/b", 1)], False),
        ([("/a/*.html$", 1)], True),
        ([("/a/", 0), ("/", 1)], False),
        ([("/", 1), ("/a/", 0)], True),
        ([("*", 1)], True),
    ],
)
def test_the_first_location_that_matches_decides(locations: list[tuple[str, int]], is_reserved: bool) -> None:
    """TDM Reservation Protocol: "the most specific match is the first in sequence"."""
    rules = [f'{{"location": "{location}", "tdm-reservation": {value}}}' for location, value in locations]

    assert kinds("", tdm=f"[{','.join(rules)}]") == ["tdm"] * is_reserved


def test_a_page_that_renounces_its_reservation_overrides_the_site() -> None:
    """A site may reserve everything but some pages."""
    policy = SitePolicy({"/.well-known/tdmrep.json": '[{"location": "/", "tdm-reservation": 1}]'})

    assert policy.signals("https://a.example/", [Signal("tdm", "meta tdm-reservation", "0", applies=False)]) == []
    assert [signal.kind for signal in policy.signals("https://a.example/", [])] == ["tdm"]


def test_each_training_agent_has_an_operator_and_a_source() -> None:
    """A site owner must be able to see why an agent is in the table."""
    agents = tomllib.loads(DATA.read_text())["agent"]

    assert all(agent.keys() == {"name", "operator", "source"} for agent in agents)
    assert all(urlsplit(agent["source"]).scheme == "https" for agent in agents)
    assert len({agent["name"].lower() for agent in agents}) == len(agents)
    named = {"gptbot", "ccbot", "google-extended", "claudebot", "anthropic-ai", "applebot-extended", "bytespider"}
    assert named | {"meta-externalagent"} <= {agent["name"].lower() for agent in agents}


def test_real_files_are_read_as_protego_reads_them() -> None:
    """The crawler asks Protego, and the opt-outs need the rule that decides."""
    differences = []
    for path in samples("robots"):
        text = decoded(path.read_bytes())
        protego, own = Protego.parse(text), parse(text)
        RobotsSignals(text)
        for agent in (PRODUCT_TOKEN, "gptbot", "ccbot"):
            for rule in own.rules(agent)[:50]:
                url = "https://a.example" + rule.pattern.rstrip("$").replace("*", "x") + "y"
                decision = deciding(own.rules(agent), target_of(url))
                if (decision is None or decision.value == "allow") != protego.can_fetch(url, agent):
                    differences.append((path.name, agent, url, decision))

    assert differences == []


@given(pattern=PATTERNS, path=PATTERNS)
def test_patterns_match_as_those_of_protego(pattern: str, path: str) -> None:
    """Both follow RFC 9309, 2.2.3."""
    url = f"https://a.example{path.replace('$', '').replace('*', '')}"
    protego = Protego.parse(f"User-agent: *\nDisallow: {pattern}")

    assert matches(pattern, target_of(url)) == (not protego.can_fetch(url, "x"))


def test_hostile_patterns_take_linear_time() -> None:
    """Patterns with many stars are exponential for some regular expressions."""
    pattern, target = "/" + "*a" * 1_000 + "b", "/" + "a" * 10_000
    began = time.process_time()

    assert not matches(pattern, target)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("status", "body", "media_type", "expected"),
    [
        (200, b"User-Agent: *", "text/plain", "User-Agent: *"),
        (206, b"User-Agent: *", "", "User-Agent: *"),
        (200, b"<h1>not here</h1>", "text/html", ""),
        (404, b"", "", None),
        (403, b"", "", None),
        (200, "\ufeffUser-Agent: *".encode("utf-16-le"), "text/plain", "User-Agent: *"),
    ],
)
def test_a_site_file_and_its_absence(status: int, body: bytes, media_type: str, expected: str | None) -> None:
    """Absence counts, because it ends an earlier opt-out."""
    row = site_file("https://a.example/ai.txt", status=status, media_type=media_type, body=lambda: body)

    assert row is not None
    assert row["body"] == expected


@pytest.mark.parametrize("status", [301, 429, 500, 503, 100])
def test_a_response_that_says_nothing_about_the_site_is_no_file(status: int) -> None:
    """An earlier or later capture decides."""
    assert site_file("https://a.example/robots.txt", status=status, media_type="", body=bytes) is None


def test_an_archive_gives_its_site_files_whatever_its_slices(tmp_path: Path) -> None:
    """They are never documents, and pages are never site files."""
    path = tmp_path / "x.warc"
    path.write_bytes(
        b"".join(
            [
                response(b"User-agent: *", b"Content-Type: text/plain", url="https://a.example:443/robots.txt"),
                response(url="https://a.example/page"),
                response(b"[]", b"X: y", url="http://a.example/.well-known/tdmrep.json"),
                response(b"no", status=b"404 Not Found", url="http://a.example:81/ai.txt"),
                record(b"User-Agent: *", kind="resource", about="text/plain", url="http://b.example/ai.txt"),
                response(b"x", b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked", url="http://c.example/ai.txt"),
            ]
        )
    )
    size = path.stat().st_size

    whole = _site_files(path)
    parts = [row for start, end in pairwise((0, 300, 301, 700, size)) for row in _site_files(path, start, end)]

    assert whole == parts
    assert [(row["host"], row["path"], row["body"]) for row in whole[:4]] == [
        ("a.example", "/robots.txt", "User-agent: *"),
        ("a.example", "/.well-known/tdmrep.json", "[]"),
        ("a.example:81", "/ai.txt", None),
        ("b.example", "/ai.txt", "User-Agent: *"),
    ]
    assert whole[0]["fetched_at"] == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert next(Warc().site_files(str(path))).schema == SITE_FILE
    offers = [row for batch in Warc().read(str(path), name="x") for row in batch.to_pylist()]
    assert [row["url"] for row in offers] == ["https://a.example/page"]


def _site_files(path: Path, start: int = 0, end: int = -1) -> list[dict[str, Any]]:
    return [row for batch in Warc().site_files(str(path), start=start, end=end) for row in batch.to_pylist()]
