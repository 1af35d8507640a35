"""Problems in a file: the expected values of a field, and an example of the right form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.registry import STAGES
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import RecipeErrors
from corpusmill.schemas.expectations import example, expectation
from corpusmill.schemas.located_yaml import parse_yaml
from corpusmill.schemas.problems import HintedValueError, Problems, Section
from corpusmill.schemas.recipe import LoadSource, Recipe
from corpusmill.training.config import TrainConfig

MODELS: list[type[BaseModel]] = [
    *(resolve(place) for place in (*STAGES.values(), *LOADERS.values())),
    *(CrawlSource, LoadSource, Recipe, TrainConfig),
]


class Opaque:
    """A type without a JSON form."""


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    least: int = Field(default=3, ge=2, lt=10)


class Sample(BaseModel):
    """A model with a field of every form."""

    model_config = ConfigDict(extra="forbid", strict=True)

    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    above: float | None = Field(default=None, gt=4)
    below: float | None = Field(default=None, lt=-2)
    count: int | None = Field(default=None, le=0)
    names: tuple[str, ...] = Field(default=(), min_length=2)
    mode: Literal["fast", "slow"] = "fast"
    inner: Inner = Inner()
    named: dict[str, Inner] = Field(default_factory=dict)
    several: list[Inner] | str = ""
    even: int = Field(default=2, multiple_of=2)
    odd: int = 1
    code: str = Field(default="ab", pattern="^[a-f]+$")

    @field_validator("odd")
    @classmethod
    def _is_odd(cls, odd: int) -> int:
        if odd % 2 == 0:
            raise HintedValueError("not odd", hint=f"use {odd + 1}")
        return odd


def problems(text: str, model: type[BaseModel] = Sample) -> list[tuple[str, str | None]]:
    """Return message and hint of each problem of *text*."""
    found = Problems(located := parse_yaml(text, file="s.yaml"))
    found.read(Section((), "", model), located.value)
    with pytest.raises(RecipeErrors) as caught:
        found.raise_any()
    return [(error.message, error.hint) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("share: 0", "field `share`: expected a number above 0 and at most 1, got `0`", "for example `share: 0.5`"),
        ("above: x", 'field `above`: expected a number above 4 or null, got `"x"`', "for example `above: 5`"),
        ("below: 0", "field `below`: expected a number below -2 or null, got `0`", "for example `below: -3`"),
        ("count: 1", "field `count`: expected a whole number of at most 0 or null, got `1`", "for example `count: 0`"),
        ("names: [a]", 'field `names`: expected a list with at least 2 items, got `["a"]`', "for example `names: "),
        ("names: [a, b, 1]", "field `names.2`: expected a text, got `1`", "put it in quotes: `'1'`"),
        (
            "inner: {least: 1}",
            "field `inner.least`: expected a whole number from 2 to 9, got `1`",
            "for example `least: 3`",
        ),
        ("inner: 4", "field `inner`: expected fields with values, got `4`", "for example `inner: {least: 3}`"),
        (
            "named: {a: {least: 1}}",
            "field `named.a.least`: expected a whole number from 2 to 9, got `1`",
            "for example",
        ),
        ("several: 3", "field `several`: expected a list or a text, got `3`", None),
        (
            "several: [{least: x}]",
            'field `several.0.least`: expected a whole number from 2 to 9, got `"x"`',
            "for exam",
        ),
        (
            "even: 3",
            "field `even`: expected a whole number, a multiple of 2, got `3`",
            "for example `even: 2`",
        ),
        ("odd: 4", "field `odd`: not odd, got `4`", "use 5"),
        ("code: xy", "field `code`: expected a text that matches `^[a-f]+$`, got `xy`", "for example `code: ab`"),
        ("inner: {lesat: 1}", "unknown field `inner.lesat`", "did you mean `least`?; fields: least"),
    ],
)
def test_a_problem_states_the_expected_value_with_an_example(text: str, message: str, hint: str | None) -> None:
    """`input should be a valid number` leaves the reader to guess the bounds and the form."""
    ((found, found_hint),) = problems(text)

    assert found == message
    assert (found_hint or "").startswith(hint or "")


@pytest.mark.parametrize("item", ["1", ".nan", "{least: 0}", "[1]"])
def test_thousands_of_problems_are_all_reported(item: str) -> None:
    """A hostile file does not make its reader try a hint for each of its problems."""
    reported = problems(f"names: [{', '.join([item] * 8_000)}]\nseveral: [{', '.join([item] * 8_000)}]\n")

    assert len(reported) >= 8_000
    assert all(hint for _, hint in reported)


def test_a_value_that_cannot_be_read_is_reported_once() -> None:
    """The value is replaced by null, which the field would refuse a second time."""
    assert [message for message, _ in problems("share: .nan\nodd: 2\n")] == [
        "field `share`: expected a number above 0 and at most 1, got `.nan`",
        "field `odd`: not odd, got `2`",
    ]


def test_a_model_without_a_json_schema_still_reports_its_problems() -> None:
    """A third-party stage can have any field. One without a JSON schema does not hide the form of the others."""

    class Strange(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True, strict=True)

        thing: Opaque | None = None
        number: int = 0

    reported = problems("number: x\nthing: 3", Strange)

    assert reported == [
        ('field `number`: expected a whole number, got `"x"`', "for example `number: 0`"),
        ("field `thing`: not a valid value for this field, got `3`", "remove `thing` to use its default"),
    ]


def fields(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield name and example of the fields of *model*."""
    for name in model.model_fields:
        yield name, example(model, (name,)) or ""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_example_of_every_field_can_be_pasted_into_the_file(
    model: type[BaseModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hint must not propose a value that is refused."""
    monkeypatch.setenv("CORPUSMILL_PSEUDONYM_KEY", "0" * 64)  # pseudonyms are refused without it
    # A crawl needs an address in one of four fields, none of which is required.
    required = [name for name, field in model.model_fields.items() if field.is_required() or name == "start_urls"]
    least = parse_yaml("\n".join(line for name, line in fields(model) if name in required) or "{}", file="f").value
    shapes: Mapping[str, Any] = {name: parse_yaml(line, file="f").value for name, line in fields(model)}

    for name, field in shapes.items():
        assert field.keys() == {name}
        assert expectation(model, (name,)) is not None
        others = shapes["index"] if name == "where" else {}  # it chooses records of an index
        model.model_validate_json(json.dumps(least | others | field), strict=True)


class Circle(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["circle"]
    radius: float = Field(gt=0)


class Square(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["square"]
    side: float = Field(gt=0)
    color: str = "red"


def _is_upper(text: str) -> str:
    if not text.isupper():
        raise ValueError("not upper case")
    return text


class Foreign(BaseModel):
    """Types that only stages of other distributions have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    shape: Circle | Square | None = None
    day: date | None = None
    limit: Annotated[int, Field(ge=1)] | Literal["none"] = "none"
    by_code: dict[Annotated[str, Field(pattern="^[A-Z]+$")], int] = Field(default_factory=dict, examples=[{"AB": 1}])
    shouting: Annotated[str, AfterValidator(_is_upper)] = "LOUD"
    checked: int = 1
    pair: tuple[int, str] = (1, "a")

    @field_validator("checked")
    @classmethod
    def _check(cls, checked: int) -> int:
        if checked == 10:
            raise AssertionError("more than nine")  # as by `assert`, whose message pytest changes
        if checked == 5:
            raise PydanticCustomError("five", "Five is taken")
        return checked


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "shape: {kind: square, side: -1}",
            "field `shape.side`: expected a number above 0, got `-1`",
            "for example `side: 1`",
        ),
        (
            "shape: {kind: circle, raduis: 1}",
            "unknown field `shape.raduis`",
            "did you mean `radius`?; fields: kind, radius, side, color",
        ),
        ("day: 31.1.2024", "field `day`: expected a date or null, got `31.1.2024`", "for example `day: '2024-01-31'`"),
        ("limit: 0", "field `limit`: expected a whole number of at least 1 or `none`, got `0`", "for example"),
        ("limit: nine", "field `limit`: expected a whole number of at least 1 or `none`, got", "for example"),
        ("by_code: {ab: 1}", "field `by_code.ab`: ", "for example `by_code: {AB: 1}`"),
        ("shouting: low", "field `shouting`: not upper case, got `low`", "for example `shouting: LOUD`"),
        (
            "shouting: [LOUD]",
            'field `shouting`: expected a text, got `["LOUD"]`',
            "remove the brackets: `shouting: LOUD`",
        ),
        ("shouting: 3", "field `shouting`: expected a text, got `3`", "for example `shouting: LOUD`"),
        ("checked: 10", "field `checked`: more than nine, got `10`", "for example `checked: 1`"),
        ("checked: 5", "field `checked`: five is taken, got `5`", "for example `checked: 1`"),
        ("checked: 1e0", "field `checked`: expected a whole number, got `1e0`", "write a whole number: `checked: 1`"),
        ("pair: [1, 2]", "field `pair.1`: expected a text, got `2`", "put it in quotes: `'2'`"),
    ],
)
def test_types_of_other_distributions_are_explained_as_ours(text: str, message: str, hint: str) -> None:
    """Of a union the nearest form counts, and what a validator refuses is never proposed."""
    reported = problems(text, Foreign)

    assert len(reported) <= 2
    assert any(found.startswith(message) and (found_hint or "").startswith(hint) for found, found_hint in reported), (
        reported
    )
