"""What is wrong with a recipe, in the words of whoever wrote it.

Turns the errors of pydantic into `RecipeError`s that name file, line, field and value, with a hint: the nearest
allowed name, or all of them.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from corpusmill.schemas.errors import RecipeError, RecipeErrors
from corpusmill.schemas.located_yaml import LocatedYaml, Place

Model = TypeVar("Model", bound=BaseModel)

_SHOWN: Final = 60
_WANTED: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "fields with values",
    "model_type": "fields with values",
    "model_attributes_type": "fields with values",
    "none_required": "null",
}
"""What a field asks for, by pydantic's type of error."""


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Give the name among *known* that *name* was probably meant to be.

    >>> nearest("near-dedupe", ["exact_dedup", "near_dedup"])
    'near_dedup'
    """
    folded = {other.lower().replace("-", "_"): other for other in known}
    close = difflib.get_close_matches(str(name).lower().replace("-", "_"), folded, n=1)
    return folded[close[0]] if close else None


def hint_among(name: object, known: Sequence[str], *, what: str) -> str | None:
    """Give the hint for *name*, which is none of *known*: the nearest one, and the allowed ones."""
    close = nearest(name, known)
    allowed = f"{what}: {', '.join(known)}" if known else None
    return "; ".join(part for part in (f"did you mean `{close}`?" if close else None, allowed) if part) or None


def shown(value: Any) -> str:
    """Give *value* as a message quotes it: in one line, cut when long.

    >>> shown({"a": [True, None]}), shown("x")
    ('{"a": [true, null]}', 'x')
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split()) if text.strip() else repr(text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def dotted(place: Place) -> str:
    """Give *place* as errors name it, positions from 0: ``stages.3.near_dedup.bands``."""
    return ".".join(map(str, place))


@dataclass(frozen=True)
class Part(Generic[Model]):
    """A part of a recipe that one model reads: where it stands, and what it is called in messages.

    *fields* are the allowed names where the model alone does not know them all.
    """

    place: Place
    label: str
    model: type[Model]
    fields: tuple[str, ...] | None = None


class Problems:
    """Collects the problems of one file.

    Args:
        located: The file's content and lines.
    """

    def __init__(self, located: LocatedYaml) -> None:
        self._located = located
        self.errors: list[RecipeError] = list(located.errors)

    def add(self, message: str, place: Place, *, hint: str | None = None, value: Any = None) -> None:
        """Note a problem at *place*."""
        self.errors.append(self.error(message, place, hint=hint, value=value))

    def error(self, message: str, place: Place, *, hint: str | None = None, value: Any = None) -> RecipeError:
        """Give the error for a problem at *place*."""
        line = self._located.line(place)
        field = dotted(place) or None
        return RecipeError(message, file=self._located.file, line=line, field=field, value=value, hint=hint)

    def add_validation(self, error: ValidationError, part: Part[Any], value: Any) -> None:
        """Note all problems that reading *value* as *part* brought up."""
        by_place: dict[Place, list[ErrorDetails]] = {}
        for details in error.errors(include_url=False):
            by_place.setdefault(_inside(details["loc"], value), []).append(details)
        for inner, several in by_place.items():
            self._add_details(part, inner, several)

    def _add_details(self, part: Part[Any], inner: Place, several: Sequence[ErrorDetails]) -> None:
        details = several[0]
        problem, hint = _problem(details, part, inner)
        if len(several) > 1 and all(other["type"] in _WANTED for other in several):
            problem = f"expected {' or '.join(dict.fromkeys(_WANTED[other['type']] for other in several))}"
        named = f"field `{dotted(inner)}`: " if inner and details["type"] not in {"extra_forbidden", "missing"} else ""
        before = f"{part.label}: " if part.label else ""
        shows_value = bool(inner) and details["type"] not in {"missing", "extra_forbidden"}
        quoted = details["type"] in _WANTED and isinstance(details["input"], str)
        got = f", got `{shown(json.dumps(details['input']) if quoted else details['input'])}`" if shows_value else ""
        value = details["input"] if shows_value else None
        self.add(f"{before}{named}{problem}{got}", (*part.place, *inner), hint=hint, value=value)

    def raise_any(self) -> None:
        """Raise what was collected, in the order of lines.

        Raises:
            RecipeErrors: There was something.
        """
        if not self.errors:
            return
        errors = tuple(sorted(self.errors, key=lambda error: error.line or 0))
        first = errors[0]
        raise RecipeErrors(
            first.message,
            errors=errors,
            hint=first.hint,
            file=first.file,
            line=first.line,
            field=first.field,
            value=first.value,
        )


_Loc: TypeAlias = tuple[int | str, ...]


def _inside(loc: _Loc, value: Any) -> Place:
    """Give the way that *loc* takes through *value*, without the names of types that pydantic puts between."""
    place: list[int | str] = []
    for index, step in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(value, dict) and isinstance(step, str) and (step in value or last):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            continue
        place.append(step)
    return tuple(place)


def _problem(details: ErrorDetails, part: Part[Any], inner: Place) -> tuple[str, str | None]:
    """Give the problem and its hint."""
    kind, context = details["type"], details.get("ctx", {})
    match kind:
        case "extra_forbidden":
            known = part.fields if part.fields is not None and len(inner) == 1 else _fields_at(part.model, inner[:-1])
            return f"unknown field `{dotted(inner)}`", hint_among(inner[-1], known, what="fields")
        case "missing":
            return f"field `{dotted(inner)}` is missing", None
        case "literal_error" | "enum":
            allowed = re.findall(r"'([^']*)'", str(context.get("expected", "")))
            return "not an allowed value", hint_among(details["input"], allowed, what="allowed")
        case "value_error":
            return str(context["error"]), None
        case "string_pattern_mismatch" if "a-z0-9" in str(context.get("pattern")):
            return (
                "not a name: lower-case letters, digits, `_` and `-`, at most 64",
                hint_for_name(details["input"]),
            )
    if kind in _WANTED:
        return f"expected {_WANTED[kind]}", _hint_for_type(kind, details["input"])
    message = details["msg"]
    return message[:1].lower() + message[1:], None


def hint_for_name(value: Any) -> str | None:
    """Give a name like *value* that is allowed, as a hint."""
    name = re.sub(r"[^a-z0-9_-]+", "-", str(value).lower()).strip("-_")[:64]
    return f"`{name}` would do" if name else None


def _hint_for_type(kind: str, value: Any) -> str | None:
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return f'put it in quotes: "{shown(value)}"'
    if kind in {"tuple_type", "list_type", "set_type", "frozen_set_type"} and isinstance(value, (str, int, float)):
        return f"write a list: [{shown(value)}]"
    if kind in {"int_type", "float_type", "bool_type"} and isinstance(value, str):
        return "remove the quotes" if re.fullmatch(r"[-+]?[0-9.]+|true|false", value) else None
    return None


def _fields_at(model: type[BaseModel], inner: Place) -> tuple[str, ...]:
    """Give the fields of *model*, or of the model that *inner* leads to."""
    found: Any = model
    for step in inner:
        if isinstance(step, int) or not (isinstance(found, type) and issubclass(found, BaseModel)):
            continue
        annotation = found.model_fields[step].annotation if step in found.model_fields else None
        found = next(iter(_models_in(annotation)), None)
    return tuple(found.model_fields) if isinstance(found, type) and issubclass(found, BaseModel) else ()


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)
