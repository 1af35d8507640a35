"""Signals in headers and markup, of real and of hostile pages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.optouts.directives import directives, is_past
from corpusmill.crawlers.optouts.page import page_signals
from corpusmill.crawlers.optouts.preferences import SIGNAL, USAGE, forbids_training
from corpusmill.crawlers.optouts.rsl import links
from corpusmill.crawlers.optouts.tdm import parse
from corpusmill.schemas.optouts import KINDS, MAX_MESSAGE_CHARACTERS, MAX_VALUE_CHARACTERS, respected_kinds, verdict_of

LINEAR = 9
"""Growth between that of linear (4) and of quadratic time (16)."""
AT = datetime(2026, 5, 4, tzinfo=UTC)
EVERYTHING = st.text(st.sampled_from("<>=\"'&#;,: \n-_/noaindexrbtsmgpu10é\0metalink"), max_size=80)


def kinds(*fields: tuple[str, str], body: bytes = b"", media_type: str = "text/html") -> list[str]:
    """Return the kinds of the signals that apply."""
    signals = page_signals(fields, body, media_type=media_type, captured_at=AT)
    return [signal.kind for signal in signals if signal.applies]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("noindex", ["noindex"]),
        ("NONE", ["noindex", "nofollow"]),
        ("noai noimageai", ["noai", "noimageai"]),
        ("corpusmill: noai", ["noai"]),
        ("*: noml", ["noml"]),
        ("otherbot: noai, noindex", []),
        ("otherbot: noai, corpusmill: noml", ["noml"]),
        ("CCBot: noarchive", ["agents"]),
        ("ccbot: nofollow", []),
        ("max-snippet: 20, noai", ["noai"]),
        ("unavailable_after: 25 Jun 2020 15:00:00 PST", ["unavailable_after"]),
        ("unavailable_after: 2020-06-25, noai", ["unavailable_after", "noai"]),
        ("unavailable_after: Thursday, 25-Jun-20 15:00:00 GMT", ["unavailable_after"]),
        ("otherbot: unavailable_after: 2020-06-25", []),
        ("unavailable_after: 2999-06-25", []),
        ("unavailable_after:", []),
        ("unavailable_after: 99999999999999999999", []),
        ("noindexed, no ai, x-noai", []),
        (":,,:,", []),
        ("", []),
    ],
)
def test_directives_of_a_header(value: str, expected: list[str]) -> None:
    """The name of an agent holds until the next one; dates may have commas."""
    assert kinds(("x-robots-tag", value)) == expected


def test_a_repeated_header_is_not_joined_with_the_one_before() -> None:
    """Otherwise a directive for everyone would look as if it were for the agent of the header before."""
    assert kinds(("x-robots-tag", "otherbot: nofollow"), ("x-robots-tag", "noai")) == ["noai"]


def test_without_a_time_of_capture_each_date_counts_as_over() -> None:
    """A file from disk may be older or younger than the date, and the owner's wish is clear."""
    assert is_past("2035-01-01", captured_at=None)
    assert not is_past("no date", captured_at=None)


@pytest.mark.parametrize(
    ("field", "value", "forbidden"),
    [
        (USAGE, "train-ai=n", True),
        (USAGE, "train-ai=y", False),
        (USAGE, "search=n, ai-use=n", False),
        (USAGE, "bots=n", True),
        (USAGE, "tdm=n, train-ai=y, train-genai=y", False),
        (USAGE, "train-ai=n, train-genai=y", True),
        (USAGE, "train-ai=y, train-genai=n", True),
        (USAGE, "train-ai=y, train-ai=n", True),
        (USAGE, "TRAIN-AI = N", True),
        (USAGE, "train-ai", False),
        (USAGE, "=n,,;=", False),
        (SIGNAL, "ai-train=no", True),
        (SIGNAL, "search=yes,ai-train=no", True),
        (SIGNAL, "ai-train=yes, ai-input=no", False),
        (SIGNAL, "train-ai=no", False),
    ],
)
def test_preferences_about_training(field: str, value: str, forbidden: bool) -> None:
    """A preference about a broader use counts where there is none about the narrower one."""
    assert forbids_training(field, value) is forbidden


@pytest.mark.parametrize(
    ("fields", "head", "expected"),
    [
        ([("tdm-reservation", "1")], "", ["tdm"]),
        ([("tdm-reservation", "0")], '<meta name="tdm-reservation" content="1">', ["tdm"]),
        ([("tdm-reservation", "1")], '<meta name="TDM-Reservation" content=" 0 ">', []),
        ([("tdm-reservation", "2"), ("tdm-policy", "https://a.example/")], "", []),
    ],
)
def test_the_page_overrides_its_headers(fields: list[tuple[str, str]], head: str, expected: list[str]) -> None:
    """TDM Reservation Protocol, section 5: the declaration nearest to the text counts."""
    assert kinds(*fields, body=head.encode()) == expected


def test_the_policy_of_a_reservation_is_kept() -> None:
    """A user who wants a license needs its address."""
    (signal,) = page_signals(
        (),
        b'<meta name=tdm-policy content="https://a.example/p"><meta name=tdm-reservation content=1>',
        media_type=None,
        captured_at=None,
    )

    assert (signal.place, signal.value) == ("meta tdm-reservation", "1, policy https://a.example/p")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("null", 0),
        ("[", 0),
        ("{}", 0),
        ("[[[[1]]]]", 0),
        ('"x"', 0),
        ("[1, null, {}]", 0),
        ('{"location": "/", "tdm-reservation": 1}', 1),
        ('[{"location": "/", "tdm-reservation": "1"}, {"location": "/", "tdm-reservation": 7}]', 1),
        ('[{"location": "", "tdm-reservation": 1}, {"location": ["/"], "tdm-reservation": 1}]', 0),
        ("[" * 100_000, 0),
        ('{"a":' * 9_000, 0),
        ("[1e999999999]", 0),
        ("\ufeff[]", 0),
    ],
)
def test_a_broken_tdmrep_has_no_rules(text: str, count: int) -> None:
    """The file is as hostile as any page."""
    assert len(parse(text)) == count


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "shift_jis", "windows-1252"])
def test_markup_is_read_in_the_encodings_of_the_web(encoding: str) -> None:
    """Directives are ASCII, so only wide encodings are decoded."""
    body = '<meta charset=x><meta name="robots" content="noai">'.encode(encoding)

    assert kinds(body=body) == ["noai"]


def test_text_that_is_not_markup_has_no_tags() -> None:
    """A plain text may show a page as an example."""
    assert kinds(body=b'<meta name="robots" content="noai">', media_type="text/plain") == []


def test_evidence_is_short_and_on_one_line() -> None:
    """A header may have 64 KB, and a ledger row must not."""
    huge = "noai, " + "x" * 60_000
    signals = page_signals([("x-robots-tag", huge), ("content-usage", huge)] * 9, b"", media_type=None, captured_at=AT)
    verdict = verdict_of(signals, respected_kinds("all"), seen_at=AT)

    assert len(signals) == len({(signal.kind, signal.place, signal.applies) for signal in signals}) == 2
    assert all(len(signal.value) <= MAX_VALUE_CHARACTERS for signal in signals)
    assert verdict is not None
    assert verdict[1].endswith("(2026-05-04T00:00:00Z)")
    assert len(verdict[1]) <= MAX_MESSAGE_CHARACTERS


def growth(work: Callable[[int], object], size: int) -> float:
    """Return how many times longer *work* takes for four times the *size*: about 4 if it is linear, 16 if quadratic.

    CPU times do not count what other processes take. The least of several is closest to the work itself.
    """
    least = dict.fromkeys((size, 4 * size), float("inf"))
    for _ in range(5):
        for one in least:
            began = time.process_time()
            work(one)
            least[one] = min(least[one], time.process_time() - began)
    return least[4 * size] / least[size]


@pytest.mark.parametrize(
    ("head", "repeated"),
    [
        (b"", b"<meta "),
        (b"", b'<meta name="'),
        (b"<meta a='", b"\"'"),
        (b"<link rel=license ", b"a=b "),
        (b"<meta name=robots content=noai", b"&#9"),
    ],
    ids=["meta", "quote", "quotes", "attributes", "references"],
)
def test_hostile_markup_takes_linear_time(head: bytes, repeated: bytes) -> None:
    """A page may have megabytes, for which quadratic time would be hours."""
    assert growth(lambda size: kinds(body=head + repeated * size), 8_000) < LINEAR


@pytest.mark.parametrize(
    ("head", "repeated"), [("", "<"), ("", "<a>;"), ("<a>; rel=", "<a>; rel="), ('<a>; rel="', "\\")]
)
def test_hostile_links_take_linear_time(head: str, repeated: str) -> None:
    """The head of a response may have 64 KB, for which quadratic time would be minutes."""
    assert growth(lambda size: links(head + repeated * (size // len(repeated))), 10_000) < LINEAR


def test_growth_tells_quadratic_from_linear_time() -> None:
    """The tests above would pass on any code if it did not."""
    assert growth(lambda size: re.findall("x", "x" * size), 50_000) < LINEAR
    assert growth(lambda size: re.findall("<[^>]*>", "<" * size), 2_000) > LINEAR


@given(value=EVERYTHING, body=EVERYTHING)
def test_no_page_is_too_broken_to_judge(value: str, body: str) -> None:
    """Each signal is of a known kind, and its evidence can be stored."""
    fields = [(name, value) for name in ("x-robots-tag", "tdm-reservation", "content-usage", "content-signal", "link")]

    for signal in page_signals(fields, body.encode("utf-8", "replace"), media_type="text/html", captured_at=AT):
        assert signal.kind in KINDS
        assert signal.value.isprintable()


@given(words=st.lists(st.sampled_from(["noai", "noindex", "noml", "max-snippet: 3", "x"]), max_size=6))
def test_each_directive_of_a_list_is_read(words: list[str]) -> None:
    """Neither order nor neighbors matter."""
    names = [directive.name for directive in directives(", ".join(words))]

    assert [name for name in names if name.startswith("no")] == [word for word in words if word.startswith("no")]
