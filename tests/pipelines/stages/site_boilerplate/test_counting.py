from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.site_boilerplate.pages import host_of
from corpusmill.pipelines.stages.site_boilerplate.pieces import key_of
from corpusmill.pipelines.stages.site_boilerplate.stage import SiteBoilerplate
from corpusmill.schemas.document import CAPTURE
from tests.pipelines.stages.dedup.corpus import capture, table
from tests.pipelines.stages.dedup.exchange import Contrary
from tests.pipelines.stages.site_boilerplate.sites import FOOT, HEAD, site

URLS = ("https://one.example/a", "http://www.one.example/b", "https://two.example/a", None, "not an address")
captures_of_sites = st.lists(
    st.builds(
        lambda name, parts, day: capture(name, "\n\n".join(parts), day=day, url=URLS[ord(name) % len(URLS)]),
        st.sampled_from("abcdefghijklmno"),
        st.lists(st.sampled_from(["head", "HEAD", "foot", "own one", "own two", "own three"]), max_size=5),
        st.none() | st.integers(0, 2),
    ),
    max_size=30,
)


def template_of(
    captures: list[dict[str, Any]], stage: SiteBoilerplate, how: Contrary | None = None
) -> dict[tuple[int, int], tuple[int, int, str]]:
    """Return page count, pages of the site, and witness of each template piece, by site and piece."""
    steps = stage.steps("boilerplate", Documents("documents", CAPTURE))[:-1]
    done = (how or Contrary()).run(steps, {"documents": table(captures)})["boilerplate.template"]
    return {(row["host"], row["piece"]): (row["pages"], row["of"], row["id"]) for row in done.to_pylist()}


def counted_slowly(captures: list[dict[str, Any]], stage: SiteBoilerplate) -> list[tuple[int, int, int]]:
    latest: dict[str, Any] = {}
    for one in sorted(captures, key=lambda one: (str(one["fetched_at"] or ""), one["record_sha256"])):
        latest[one["id"]] = one
    texts: dict[str, set[str]] = defaultdict(set)
    for one in latest.values():
        if one["url"] is not None and (host := host_of(one["url"])) is not None:
            texts[host].add(one["text"])
    found: list[tuple[int, int, int]] = []
    for pages in texts.values():
        keys = {key for text in pages for part in text.split("\n\n") if (key := key_of(part)) is not None}
        for key in keys:
            standing = sum(key in {key_of(part) for part in text.split("\n\n")} for text in pages)
            if standing >= stage.min_pages and standing >= stage.share * len(pages):
                found.append((key, standing, len(pages)))
    return sorted(found)


@settings(max_examples=60, deadline=None)
@given(
    captures=captures_of_sites,
    share=st.sampled_from([0.2, 0.5, 2 / 3, 1.0]),
    min_pages=st.integers(2, 3),
    parts=st.integers(1, 4),
    rows=st.sampled_from([1, 3, 1000]),
    seed=st.integers(0, 999),
)
def test_pages_are_counted_as_the_definition_says_in_any_order(
    captures: list[dict[str, Any]], share: float, min_pages: int, parts: int, rows: int, seed: int
) -> None:
    """Only latest captures and distinct texts count; partitions, order and batches change nothing, nor the witness."""
    stage = SiteBoilerplate(share=share, min_pages=min_pages)

    template = template_of(captures, stage, Contrary(parts=parts, rows=rows, seed=seed))

    assert template == template_of(captures, stage, Contrary(parts=1, rows=1000))
    assert sorted((piece, pages, of) for (_, piece), (pages, of, _) in template.items()) == counted_slowly(
        captures, stage
    )


def test_a_page_under_many_addresses_counts_once() -> None:
    """Otherwise an article with ten addresses would be cut from all of them as a template."""
    copies = [capture(f"copy {n}", "A long article.", url=f"https://one.example/?page={n}") for n in range(9)]

    assert template_of(copies + site("one.example", 1), SiteBoilerplate(min_pages=2)) == {}


def test_captures_of_one_page_count_once() -> None:
    """A page that is fetched every day says no more about its site than one fetched once."""
    daily = [capture("home", f"Today\n\nNews of day {day}", day=day, url="https://one.example/") for day in range(9)]

    assert template_of(daily, SiteBoilerplate(min_pages=2, share=0.1)) == {}


def test_a_rejected_page_is_no_page_of_its_site() -> None:
    """Rejected pages say nothing about those that are kept."""
    dead = [one | {"rule": "quality.some", "text": None} for one in site("one.example", 30)]

    template = template_of(site("one.example", 5) + dead, SiteBoilerplate())

    assert {(pages, of) for pages, of, _ in template.values()} == {(5, 5)}
    assert {piece for _, piece in template} == {key_of(HEAD), key_of(FOOT)}


def test_short_pieces_are_kept_below_min_characters() -> None:
    """Headings on all pages of a manual are content: "Parameters", "See also"."""
    captures = site("one.example", 9, pieces=("Parameters", HEAD))

    template = template_of(captures, SiteBoilerplate(min_characters=20))

    assert {piece for _, piece in template} == {key_of(HEAD)}
