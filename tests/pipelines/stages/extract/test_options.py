"""Options of extraction are validated before any work starts."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from corpusmill.pipelines.stages.extract.options import Options


def test_equal_wishes_are_equal_values() -> None:
    """Options are part of a step's fingerprint, so the order in which they are listed must not matter."""
    first = Options.model_validate_json('{"keep": ["links", "tables", "links"]}', strict=True)
    second = Options.model_validate_json('{"keep": ["tables", "links"]}', strict=True)

    assert first == second
    assert first.keep == ("tables", "links")


def test_tables_and_code_are_kept_by_default() -> None:
    """They are content of the page; comments, addresses and alternative texts must be requested."""
    assert Options().keep == ("tables", "code")
    assert Options(keep=()).keep == ()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("keep", ["tabels"], "'comments', 'tables', 'code', 'links' or 'alt_text'"),
        ("keep", "tables", "tuple"),
        ("favor", "recal", "'precision', 'balanced' or 'recall'"),
        ("select", ["p >"], "not a CSS selector: invalid character ' ' at position 1"),
        ("drop", [""], "at least 1 character"),
        ("sites", {"https://example.org": {"drop": ["p"]}}, "not a host name"),
        ("keeep", [], "Extra inputs"),
    ],
)
def test_a_mistake_is_reported_with_the_correct_form(field: str, value: object, said: str) -> None:
    """The message has the allowed values, or the invalid part of the selector."""
    with pytest.raises(ValidationError) as caught:
        Options.model_validate_json(json.dumps({field: value}), strict=True)

    assert said in str(caught.value)


@pytest.mark.parametrize("selector", ["::before", "p::before"])
def test_a_selector_of_no_element_is_refused(selector: str) -> None:
    """Pseudo-elements are not elements of a page, and the selector parser reports them as another kind of error."""
    with pytest.raises(ValidationError, match="not a CSS selector"):
        Options(drop=(selector,))
