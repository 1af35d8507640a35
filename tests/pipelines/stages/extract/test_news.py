"""What pages of news state about themselves, in the forms in which sites write it."""

from __future__ import annotations

import json

import pytest

from corpusmill.pipelines.stages.extract.declared import Record
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.metadata import metadata_of
from corpusmill.pipelines.stages.extract.page import extract_page


def linked(**values: object) -> Record:
    """Return a script that describes an article."""
    return ("script", {"type": "application/ld+json"}, json.dumps({"@type": "NewsArticle", **values}))


def graph(name: str, content: str) -> Record:
    """Return a `<meta>` of Open Graph."""
    return ("meta", {"property": name, "content": content}, "")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (linked(articleSection="Politics"), Found("Politics", "json-ld:articleSection")),
        (linked(articleSection=["Culture &amp; Arts", "Film"]), Found("Culture & Arts", "json-ld:articleSection")),
        (graph("article:section", " Local\n news "), Found("Local news", "meta:article:section")),
        (linked(articleSection=[]), None),
        (linked(articleSection={"deep": 1}), None),
    ],
)
def test_a_page_names_its_section(record: Record, expected: Found[str] | None) -> None:
    """Lists begin with the main section."""
    assert metadata_of([record]).section == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (False, "false"),
        ("False", "false"),
        ("https://schema.org/True", "true"),
        ("maybe", None),
        (None, None),
        ([], None),
    ],
)
def test_a_page_says_whether_it_can_be_read_for_free(value: object, expected: str | None) -> None:
    """Behind a paywall, the text of a page is often only its beginning."""
    found = metadata_of([linked(isAccessibleForFree=value)]).is_accessible_for_free

    assert found == (expected and Found(expected, "json-ld:isAccessibleForFree"))


def test_the_tier_of_open_graph_counts_if_the_article_does_not_say() -> None:
    """Sites that have both can differ; linked data describes the article itself."""
    locked = graph("article:content_tier", "Locked")

    assert metadata_of([locked]).is_accessible_for_free == Found("false", "meta:article:content_tier")
    assert metadata_of([locked, linked(isAccessibleForFree=True)]).is_accessible_for_free == Found(
        "true", "json-ld:isAccessibleForFree"
    )


SENTENCES = [f"The harbour of town {number} reopened on Tuesday, after a storm in spring." for number in range(9)]
WHOLE = "\\n".join(SENTENCES)


def text_of(shown: str, script: str) -> str:
    """Return the text of a page with *script* as linked data."""
    head = f'<html><head><title>T</title><script type="application/ld+json">{script}</script></head>'
    return extract_page(f"{head}<body><h1>The harbour</h1>{shown}</body></html>".encode()).text


@pytest.mark.parametrize("shown", ["", f"<p>{SENTENCES[0]}</p>"])
@pytest.mark.parametrize("nested", ["{}", '{{"@graph": [{{"@type": "WebSite"}}, {}]}}'])
def test_the_article_in_linked_data_replaces_a_part_of_it(shown: str, nested: str) -> None:
    """Scripts write the text of many pages, or the rest of it."""
    article = f'{{"@type": "NewsArticle", "articleBody": "<p>{WHOLE} &amp; more\\ud800</p>"}}'

    assert text_of(shown, nested.format(article)) == "\n\n".join(SENTENCES) + " & more"


@pytest.mark.parametrize(
    ("shown", "script"),
    [
        (SENTENCES[0], f'{{"@type": "NewsArticle", "isAccessibleForFree": false, "articleBody": "{WHOLE}"}}'),
        (
            SENTENCES[0],
            f'[{{"@type": "Report", "articleBody": "{WHOLE}"}}, {{"@type": "Report", "articleBody": "b"}}]',
        ),
        (SENTENCES[0], f'{{"@type": "NewsArticle", "articleBody": "{SENTENCES[0]} And more."}}'),
        ("Our new recipe for bread needs neither yeast nor time.", f'{{"@type": "Article", "articleBody": "{WHOLE}"}}'),
    ],
    ids=["not free", "two articles", "hardly fuller", "another text"],
)
def test_the_page_counts_if_its_linked_data_is_no_fuller_form_of_it(shown: str, script: str) -> None:
    """What readers see is more reliable."""
    assert text_of(f"<p>{shown}</p>", script).endswith(shown)
