"""What is wrong with a recipe or a configuration, in the words of whoever wrote it.

Turns the errors of pydantic into `RecipeError`s that name file, line, field and value: what the field takes, and as a
hint the nearest allowed names or one example of the right form.
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
from corpusmill.schemas.expectations import example, expectation
from corpusmill.schemas.located_yaml import LocatedYaml, Place

Model = TypeVar("Model", bound=BaseModel)

_SHOWN: Final = 60
_EXPLAINED: Final = frozenset(
    "greater_than greater_than_equal less_than less_than_equal int_from_float none_required too_short "
    "string_too_short".split()
)
"""Pydantic's types of error that `expectation` says everything about, beside those that end in ``_type``."""


class HintedValueError(ValueError):
    """What a validator of a model refuses, with a hint that says what to write instead."""

    def __init__(self, message: str, *, hint: str | None) -> None:
        super().__init__(message)
        self.hint = hint


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return the name among *known* that *name* was probably meant to be.

    >>> nearest("near-dedupe", ["exact_dedup", "near_dedup"])
    'near_dedup'
    """
    folded = {other.lower().replace("-", "_"): other for other in known}
    close = difflib.get_close_matches(str(name).lower().replace("-", "_"), folded, n=1)
    return folded[close[0]] if close else None


def hint_among(name: object, known: Sequence[str], *, what: str) -> str | None:
    """Return the hint for *name*, which is none of *known*: the nearest one, and the allowed ones."""
    close = nearest(name, known)
    allowed = f"{what}: {', '.join(known)}" if known else None
    return "; ".join(part for part in (f"did you mean `{close}`?" if close else None, allowed) if part) or None


def shown(value: Any) -> str:
    """Return *value* as a message quotes it: on one line, cut when long.

    >>> shown({"a": [True, None]}), shown("x")
    ('{"a": [true, null]}', 'x')
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split()) if text.strip() else repr(text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def dotted(place: Place) -> str:
    """Return *place* as errors name it, positions from 0: ``stages.3.near_dedup.bands``."""
    return ".".join(map(str, place))


@dataclass(frozen=True)
class Section(Generic[Model]):
    """A section of a file that one model reads.

    Args:
        place: Where it is; ``()`` for the whole file.
        label: What it is called in messages; may be empty.
        fields: The allowed names where the model alone does not know them all.
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
        """Add a problem at *place*."""
        self.errors.append(self.error(message, place, hint=hint, value=value))

    def error(self, message: str, place: Place, *, hint: str | None = None, value: Any = None) -> RecipeError:
        """Return the error for a problem at *place*."""
        line = self._located.line(place)
        field = dotted(place) or None
        return RecipeError(message, file=self._located.file, line=line, field=field, value=value, hint=hint)

    def read(self, section: Section[Model], value: Any) -> Model | None:
        """Return *value* as a value of the model of *section*; None when it has problems, which are added."""
        try:
            return section.model.model_validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            self._add_validation(error, section, value)
            return None

    def _add_validation(self, error: ValidationError, section: Section[Any], value: Any) -> None:
        by_place: dict[Place, ErrorDetails] = {}  # one for each place: a union has an error for each of its options
        for details in error.errors(include_url=False):
            by_place.setdefault(_inside(details["loc"], value), details)
        for inner, details in by_place.items():
            is_other_option = details["type"].endswith("_type") and any(
                len(place) > len(inner) and place[: len(inner)] == inner for place in by_place
            )
            if not is_other_option and (*section.place, *inner) not in self._located.unread:
                self._add_details(section, inner, details)

    def _add_details(self, section: Section[Any], inner: Place, details: ErrorDetails) -> None:
        problem, hint = _problem(details, section, inner)
        before = f"{section.label}: " if section.label else ""
        if not inner or details["type"] in {"missing", "extra_forbidden"}:
            self.add(f"{before}{problem}", (*section.place, *inner), hint=hint)
            return
        value = details["input"]
        is_text = isinstance(value, str) and details["type"].endswith("_type")
        quoted = json.dumps(value, ensure_ascii=False) if is_text else value
        message = f"{before}field `{dotted(inner)}`: {problem}, got `{shown(quoted)}`"
        self.add(message, (*section.place, *inner), hint=hint, value=value)

    def raise_any(self) -> None:
        """Raise the collected problems, in the order of lines.

        Raises:
            RecipeErrors: There is at least one.
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
    """Return the way that *loc* takes through *value*, without the names of types that pydantic puts between."""
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


def _problem(details: ErrorDetails, section: Section[Any], inner: Place) -> tuple[str, str | None]:
    """Return the problem and its hint."""
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    model = section.model
    fallback = example(model, inner)
    hint = f"for example `{fallback}`" if fallback else None
    match kind:
        case "extra_forbidden":
            known = section.fields if section.fields is not None and len(inner) == 1 else _fields_at(model, inner[:-1])
            return f"unknown field `{dotted(inner)}`", hint_among(inner[-1], known, what="fields")
        case "missing":
            return f"field `{dotted(inner)}` is missing", hint
        case "literal_error" | "enum":
            allowed = re.findall(r"'([^']*)'", str(context.get("expected", "")))
            return "not an allowed value", hint_among(value, allowed, what="allowed")
        case "value_error":
            return str(context["error"]), getattr(context["error"], "hint", hint)
        case "string_pattern_mismatch" if "a-z0-9" in str(context.get("pattern")):
            return "not a name: lower-case letters, digits, `_` and `-`, at most 64", hint_for_name(value) or hint
    expected = expectation(model, inner) if kind in _EXPLAINED or kind.endswith("_type") else None
    if expected is not None:
        return f"expected {expected}", _hint_for_type(kind, value, inner) or hint
    message = details["msg"]
    return message[:1].lower() + message[1:], hint


def hint_for_name(value: Any) -> str | None:
    """Return a name like *value* that is allowed, as a hint."""
    name = re.sub(r"[^a-z0-9_-]+", "-", str(value).lower()).strip("-_")[:64]
    return f"`{name}` would do" if name else None


def _hint_for_type(kind: str, value: Any, inner: Place) -> str | None:
    """Return the hint for a value that is right but for its form; an item of a list stands without a name."""
    name = f"{inner[-1]}: " if inner and isinstance(inner[-1], str) else ""
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return f'put it in quotes: `{name}"{shown(value)}"`'
    if kind in {"tuple_type", "list_type", "set_type", "frozen_set_type"} and isinstance(value, (str, int, float)):
        return f"write a list: `{name}[{shown(value)}]`"
    if kind in {"int_type", "float_type", "bool_type"} and isinstance(value, str):
        return f"remove the quotes: `{name}{value}`" if re.fullmatch(r"[-+]?[0-9.]+|true|false", value) else None
    return None


def _fields_at(model: type[BaseModel], inner: Place) -> tuple[str, ...]:
    """Return the fields of *model*, or of the model that *inner* leads to."""
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
