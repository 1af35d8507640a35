"""Every field of recipes and training configurations refuses wrong values with a line, the value and a hint that works.

The walk knows no field by name: one that is added tomorrow, here or in another distribution, is walked as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.pipelines.registry import STAGES
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import RecipeError, RecipeErrors
from corpusmill.schemas.expectations import bounds_of, examples, fields_at, is_required
from corpusmill.schemas.located_yaml import Place, dotted, dump_yaml
from corpusmill.schemas.recipe import LoadSource, Recipe
from corpusmill.training.config import TrainConfig, load_config

OTHERS = {
    name: f"tests.example_distribution.example_stages:{cls}"
    for name, cls in {"mask_names": "MaskNames", "limit_words": "LimitWords", "shouting": "Shouting"}.items()
}
TABLE = {**STAGES, **OTHERS}
RECIPE: dict[str, Any] = {
    "dataset": "d",
    "sources": [{"load": {"name": "a", "format": "jsonl", "path": "x"}}],
    "stages": ["near_dedup"],
}
WRONG = (
    *("12345678901234567890", "some text!", "3", "-1", "0", "1.5", "true", "yes", "[]", "[3]", "[[a]]", "[text, 3]"),
    *("{a: 1}", "null", ".nan", "-.inf", "1e400", "'0.8'", "1,000", "90%", '""'),
)
"""Values as a file has them; each is right for some fields and wrong for most."""
HOLE = "THE_VALUE"


def read_recipe(path: Path) -> object:
    return load_recipe(path, stages=TABLE, loaders=LOADERS, check_inputs=False)


@dataclass(frozen=True)
class Section:
    """A model, and a file that has it at a place."""

    model: type[BaseModel]
    place: Place
    file: dict[str, Any]
    read: Callable[[Path], object] = read_recipe


def least(model: type[BaseModel]) -> dict[str, Any]:
    """Return the required fields of *model*."""
    return {name: next(examples(model, (name,))) for name, field in model.model_fields.items() if field.is_required()}


def sections() -> Iterator[Any]:
    yield pytest.param(Section(Recipe, (), RECIPE), id="recipe")
    crawl = RECIPE | {"sources": [{"crawl": least(CrawlSource)}]}
    yield pytest.param(Section(CrawlSource, ("sources", 0, "crawl"), crawl), id="crawl")
    for name, table_place in LOADERS.items():
        load = RECIPE | {"sources": [{"load": {"name": "a", "format": name, "path": "x"}}]}
        if name == "jsonl":
            yield pytest.param(Section(LoadSource, ("sources", 0, "load"), load), id="load")
        yield pytest.param(Section(resolve(table_place), ("sources", 0, "load"), load), id=f"load-{name}")
    for name, table_place in TABLE.items():
        model = resolve(table_place)
        file = RECIPE | {"stages": [{name: least(model)}]}
        yield pytest.param(Section(model, ("stages", 0, name), file), id=f"stage-{name}")
    training = least(TrainConfig) | {"schedule": {"warm_up_steps": 0}}
    yield pytest.param(Section(TrainConfig, (), training, load_config), id="training")


def places(model: type[BaseModel], place: Place = ()) -> Iterator[Place]:
    """Yield the places below *place*: fields, those of models within, and what the examples have in them."""
    known = next(examples(model, place), None) if place else None
    names = dict.fromkeys([*fields_at(model, place), *(known if isinstance(known, dict) else ())])
    for name in names:
        if place or name != "stages":  # the stages have sections of their own
            yield (*place, name)
            yield from places(model, (*place, name))
    if isinstance(known, list) and (model, place) != (Recipe, ("sources",)):
        yield (*place, 0)
        yield from places(model, (*place, 0))


def put(value: Any, place: Place, new: Any) -> Any:
    """Return *value* with *new* at *place*."""
    if not place:
        return new
    step, *rest = place
    if isinstance(step, int):
        items = value if isinstance(value, list) else []
        return [*items[:step], put(items[step] if step < len(items) else {}, tuple(rest), new), *items[step + 1 :]]
    fields = value if isinstance(value, dict) else {}
    return fields | {step: put(fields.get(step), tuple(rest), new)}


def read(section: Section, folder: Path, text: str) -> tuple[RecipeError, ...]:
    """Return what is wrong with the file *text*."""
    path = folder / "file.yaml"
    path.write_text(text)
    try:
        section.read(path)
    except RecipeErrors as error:
        return error.errors
    return ()


def written(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=False, width=10_000)


def place_of(error: RecipeError, place: Place) -> Place:
    """Return the place that *error* names, which begins like *place*."""
    field = error.field or ""
    known = next(
        place[:n] for n in range(len(place), -1, -1) if f"{field}.".startswith(f"{dotted(place[:n])}.") or not n
    )
    rest = field.removeprefix(dotted(known)).strip(".")
    return (*known, *(int(step) if step.isdigit() else step for step in rest.split(".") if step))


def proposals(error: RecipeError, place: Place, section: Section) -> Iterator[tuple[Place, Any]]:
    """Yield place and value of what the hint of *error* at *place* says to write: `name: value`, or an item alone."""
    hint = error.hint or ""
    pieces = [yaml.safe_load(piece) for piece in re.findall(r"`([^`]+)`", hint)]
    fields = [piece for piece in pieces if isinstance(piece, dict) and len(piece) == 1]
    for piece in fields:
        ((name, value),) = piece.items()
        around = next((place[: n + 1] for n in range(len(place) - 1, -1, -1) if place[n] == name), None)
        if around is None and name in section.model.model_fields:
            yield (*section.place, name), value
        elif around is None and isinstance(place[-1], int):
            yield place, piece
        else:
            yield around or (*place, name), value
    if not fields and "allowed: " in hint:
        yield from ((place, name) for name in hint.split("allowed: ")[1].split(", "))
    elif not fields:
        yield from ((place, piece) for piece in pieces[-1:])


def beyond(model: type[BaseModel], place: Place) -> Iterator[str]:
    """Yield numbers outside the bounds of the field at *place*."""
    for least, greatest in bounds_of(model, place):
        if least is not None:
            yield repr(least[0] - 1 if least[1] else least[0])
        if greatest is not None:
            yield repr(greatest[0] + 1 if greatest[1] else greatest[0])


@pytest.mark.parametrize("section", list(sections()))
def test_every_field_refuses_wrong_values_with_a_hint_that_works(
    section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told only that a value is wrong has to search the documentation for the right one."""
    monkeypatch.setenv("CORPUSMILL_PSEUDONYM_KEY", "0" * 64)  # pseudonyms are refused without it
    for inner in places(section.model):
        if inner == ("where",):  # refused without `index`, whatever it is
            continue
        refused = 0
        is_unchecked_name = section.place[:1] == ("sources",) and inner == ("format",)
        for raw in () if is_unchecked_name else (*WRONG, *beyond(section.model, inner)):
            refused += check(section, inner, raw, tmp_path)
        assert refused >= 3 or is_unchecked_name, f"{dotted(inner)} takes nearly everything"
        for raw in beyond(section.model, inner):
            assert check(section, inner, raw, tmp_path), f"{dotted(inner)} takes {raw}"


def check(section: Section, inner: Place, raw: str, folder: Path) -> bool:
    """Return whether *raw* was refused at *inner*; fails unless the refusal says where, what and what else."""
    place = (*section.place, *inner)
    known = next(examples(section.model, inner[:-1]), None) if isinstance(inner[-1], int) else None
    file = put(section.file, place[:-1], known) if known is not None else section.file
    text = written(put(file, place, HOLE)).replace(HOLE, raw)
    line = next(n for n, one in enumerate(written(put(file, place, HOLE)).splitlines(), 1) if HOLE in one)
    errors = read(section, folder, text)
    for error in errors:
        assert error.field is not None, error.message
        at = error.field
        assert at.startswith(dotted(section.place)), f"{error} is not about {dotted(place)}"
        assert error.file == str(folder / "file.yaml")
        assert error.line == line or not at.startswith(dotted(place)), f"{error}, expected line {line}"
        assert error.hint, f"no hint: {error}"
        if "unknown field" in error.message:
            assert re.search(r"fields: \w|no field is allowed", error.hint), error.hint
            continue
        if at == dotted(place):
            assert any(form in error.message for form in forms(raw)), f"{raw} is not shown: {error}"
        assert not re.search(r"[Ii]nput should|validation error|unable to parse|<class", error.message), error.message
        written_now = put(file, place, yaml_value(raw))
        changes = list(proposals(error, place_of(error, place), section))
        for together in [changes] if "` and `" in error.hint else [[change] for change in changes]:
            changed = written_now
            for where, value in together:
                changed = put(changed, where, value)
            places_changed = tuple(dotted(where) for where, _ in together)
            again = read(section, folder, dump_yaml(changed))
            left = [str(one) for one in again if (one.field or "").startswith(places_changed)]
            assert not left, f"{error}\nhint: {error.hint}\nis refused: {left}"
    return bool(errors)


def forms(raw: str) -> tuple[str, ...]:
    """Return how a message may show *raw*."""
    value = yaml.safe_load(raw)
    return raw, json.dumps(value), json.dumps(raw), str(value), repr(value)


def yaml_value(raw: str) -> Any:
    """Return *raw* as a value that can be written again; what cannot be read stays text."""
    try:
        return json.loads(json.dumps(yaml.safe_load(raw), allow_nan=False))
    except ValueError:
        return raw


@pytest.mark.parametrize("section", list(sections()))
def test_every_required_field_that_is_missing_is_named_with_an_example(section: Section, tmp_path: Path) -> None:
    """The most common mistake of a first recipe."""
    for name in section.model.model_fields:
        if not is_required(section.model, (name,)) or (section.model is LoadSource and name == "format"):
            continue
        at = section.file
        for step in section.place:
            at = at[step]
        errors = read(
            section, tmp_path, written(put(section.file, section.place, {k: v for k, v in at.items() if k != name}))
        )

        (error,) = [error for error in errors if error.field == dotted((*section.place, name))]
        assert "missing" in error.message
        assert re.search(rf"`{name}: ", error.hint or "")
