"""What a user may say about extraction is checked before any work starts."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from corpusmill.pipelines.stages.extract.options import Options


def test_equal_wishes_are_equal_values() -> None:
    """The options are part of a step's fingerprint: the order in which someone lists them must not be."""
    first = Options.model_validate_json('{"keep": ["links", "tables", "links"]}', strict=True)
    second = Options.model_validate_json('{"keep": ["tables", "links"]}', strict=True)

    assert first == second
    assert first.keep == ("tables", "links")


def test_tables_and_code_are_kept_unless_told_otherwise() -> None:
    """They are what the page says; comments, addresses and texts of pictures are for who asks."""
    assert Options().keep == ("tables", "code")
    assert Options(keep=()).keep == ()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("keep", ["tabels"], "'comments', 'tables', 'code', 'links' or 'alt_text'"),
        ("keep", "tables", "tuple"),
        ("favor", "recal", "'precision', 'balanced' or 'recall'"),
        ("select", ["p >"], "not a CSS selector: 'p >'"),
        ("drop", [""], "at least 1 character"),
        ("sites", {"https://example.org": {"drop": ["p"]}}, "not a host name"),
        ("keeep", [], "Extra inputs"),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(field: str, value: object, said: str) -> None:
    """With the values that are allowed, or the part of the selector that is wrong."""
    with pytest.raises(ValidationError) as caught:
        Options.model_validate_json(json.dumps({field: value}), strict=True)

    assert said in str(caught.value)


@pytest.mark.parametrize("selector", ["::before", "p::before"])
def test_a_selector_of_no_element_is_refused(selector: str) -> None:
    """Pseudo-elements are no elements of a page; the parser of selectors says so in another way than of errors."""
    with pytest.raises(ValidationError, match="not a CSS selector"):
        Options(drop=(selector,))
