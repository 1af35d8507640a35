"""Report the problems of a recipe or a configuration.

Converts the errors of pydantic to `RecipeError`s with file, line, field, value and a hint: the probable intention, the
nearest allowed names, or an example of the right form. A hint only shows values that the model accepts.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from corpusmill.schemas.corrections import corrections
from corpusmill.schemas.errors import RecipeError, RecipeErrors
from corpusmill.schemas.expectations import example, examples, expectation, field_around, fields_at, is_required
from corpusmill.schemas.located_yaml import FileKind, LocatedYaml, Place, dotted, dump_field, dump_value, meant_kind
from corpusmill.schemas.yaml_syntax import MARKUP_HINT

Model = TypeVar("Model", bound=BaseModel)

_SHOWN: Final = 60
_MAX_TRIED: Final = 20
"""Problems of a section whose hints are validated. Each validation costs time, and a file may have thousands."""
_MANY: Final = 500
"""Problems of a section above which no hint is validated."""
_NOT_ALLOWED: Final = "is not allowed"
"""The problem of a value that is not among the allowed ones; it follows the value."""
_OF_PYDANTIC: Final = frozenset(get_args(ErrorType))
"""Types of errors with a message of pydantic, rather than of a model's author."""


class HintedValueError(ValueError):
    """The error of a validator, with a hint.

    In Python, the error text has message and hint on one line.

    Args:
        message: What is wrong.
        hint: The hint; None makes one from *instead*, or else from an example of the field.
        instead: An allowed value near the refused one.
        at: Place of the field at fault, relative to the value of the validator.
        is_complete: Whether the message states the value, so that it need not be added.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, instead: Any = None, at: Place = (), is_complete: bool = False
    ) -> None:
        advice = hint if instead is None else f"use {instead!r}"
        super().__init__(f"{message}; {advice}" if advice else message)
        self.message = message
        self.hint = hint
        self.instead = instead
        self.at = at
        self.is_complete = is_complete


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return the name among *known* that *name* probably means.

    >>> nearest("near-dedupe", ["exact_dedup", "near_dedup"])
    'near_dedup'
    """
    folded = {other.lower().replace("-", "_"): other for other in known}
    close = difflib.get_close_matches(str(name).lower().replace("-", "_"), folded, n=1)
    return folded[close[0]] if close else None


def hint_among(name: object, known: Sequence[str], *, noun: str) -> str | None:
    """Return the hint for *name*, which is not among *known*: the nearest name, and all names after *noun* (plural)."""
    close = nearest(name, known)
    allowed = f"{noun}: {', '.join(known)}" if known else None
    return "; ".join(part for part in (f"did you mean `{close}`?" if close else None, allowed) if part) or None


def hint_for_top_level(name: str) -> str:
    """Return the hint for a field of the whole file that stands elsewhere."""
    return f"`{name}` is a top-level field: write it without indentation, like `stages`"


def shown(value: Any) -> str:
    """Return *value* for a message: on one line, and shortened if long.

    >>> shown({"a": [True, None]}), shown("x")
    ('{"a": [true, null]}', 'x')
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split()) if text.strip() else repr(text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


@dataclass(frozen=True)
class Section(Generic[Model]):
    """A section of a file that one model reads.

    Args:
        place: Its place in the file; ``()`` for the whole file.
        label: Its name in messages; may be empty.
        fields: The allowed names, if there are more than the fields of the model.
        top_level: Names of fields of the whole file, which the section does not have.
    """

    place: Place
    label: str
    model: type[Model]
    fields: tuple[str, ...] | None = None
    top_level: tuple[str, ...] = ()


class Problems:
    """Collects the problems of one file.

    Args:
        located: The file's content and lines.
    """

    def __init__(self, located: LocatedYaml) -> None:
        self._located = located
        self.errors: list[RecipeError] = list(located.errors)
        self._unread = {id(error): index for index, error in enumerate(self.errors)}
        self._reported: set[tuple[str, str]] = set()

    def add(self, message: str, place: Place, *, hint: str | None = None, value: Any = None) -> None:
        """Add a problem at *place*."""
        self.errors.append(self.error(message, place, hint=hint, value=value))

    def error(self, message: str, place: Place, *, hint: str | None = None, value: Any = None) -> RecipeError:
        """Return the error for a problem at *place*."""
        line = self._located.line(place)
        field = dotted(place) or None
        return RecipeError(message, file=self._located.file, line=line, field=field, value=value, hint=hint)

    def read(self, section: Section[Model], value: Any) -> Model | None:
        """Return *value* as an instance of the model of *section*; if there are problems, add them and return None."""
        self._explain_unread(section, value)
        try:
            return _validate(section.model, value)
        except ValidationError as error:
            failures = _failures(error, value)
            number_tried = _MAX_TRIED if len(failures) < _MANY else 0
            for index, failure in enumerate(failures):
                if (*section.place, *failure.place) not in self._located.unread:
                    self._add_failure(section, value if index < number_tried else None, failure)
            return None

    def _explain_unread(self, section: Section[Any], value: Any) -> None:
        """Add the expected values of *section* to the errors of unreadable values."""
        for place, error in self._located.unread.items():
            inner = place[len(section.place) :]
            is_inside = place[: len(section.place)] == section.place and _is_in(value, inner)
            expected = expectation(section.model, inner) if is_inside else None
            if expected is None or error.value is None or (index := self._unread.pop(id(error), None)) is None:
                continue
            failure = _Failure(inner, "", error.value)
            message = f"{_before(section)}field `{dotted(inner)}`: expected {expected}, got `{shown(error.value)}`"
            tried = value if index < _MAX_TRIED and len(self.errors) < _MANY else None
            hint = next(_hints_with_examples(section, tried, failure), error.hint)
            self.errors[index] = self.error(message, place, hint=hint, value=error.value)

    def _add_failure(self, section: Section[Any], value: Any, failure: _Failure) -> None:
        """Add *failure*; without *value*, its hint is not validated."""
        problem, hint = _problem(section, value, failure)
        place = (*section.place, *failure.place)
        if not failure.place or failure.at_fault != failure.place or failure.kind in {"missing", "extra_forbidden"}:
            self.add(f"{_before(section)}{problem}", (*section.place, *failure.at_fault), hint=hint)
            return
        is_text = isinstance(failure.value, str) and failure.kind.endswith("_type")
        quoted = json.dumps(failure.value, ensure_ascii=False) if is_text else failure.value
        written = self._located.numbers.get(place, quoted)
        message = f"{_before(section)}field `{dotted(failure.place)}`: {_with_value(problem, shown(written), failure)}"
        if (dotted(place), hint) not in self._reported:  # two models may share a field
            self._reported.add((dotted(place), hint))
            self.add(message, place, hint=hint, value=failure.value)

    def not_a_mapping(self, kind: FileKind) -> RecipeError:
        """Return the error for a file of *kind* whose value is not a mapping."""
        value = self._located.value
        message = f"a {kind.name} is a mapping: {kind.form}, got `{shown(value)}`"
        return self.error(message, (), hint=_hint_for_mapping(value, kind), value=value)

    def refuse_other_kind(self, kind: FileKind) -> None:
        """Check that a mapping is a file of *kind*, so that the fields of another kind are not reported one by one.

        Raises:
            RecipeErrors: It is a file of another kind.
        """
        meant = meant_kind(self._located.value, kind)
        if meant is not kind:
            message = f"this is a {meant.name}, not a {kind.name}"
            self.errors = [self.error(message, (), hint=f"use it with `{meant.command} {self._located.file}`")]
            self.raise_any()

    def raise_any(self) -> None:
        """Raise the collected problems, in the order of lines.

        Raises:
            RecipeErrors: There is at least one problem.
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


def _hint_for_mapping(value: Any, kind: FileKind) -> str:
    match value:
        case list():
            return f"begin each field with its name, not with `- `; {kind.first}"
        case str() if value.startswith("<"):
            return MARKUP_HINT
        case str() if match := re.match(r"([a-z_]+)(?::|\s*=\s*)(\S+)", value):
            return f"put a colon and a space after the name, as in `{match[1]}: {match[2]}`; {kind.first}"
    return kind.first


def _is_in(value: Any, place: Place) -> bool:
    """Return whether *place*, except the empty place, is in *value*."""
    return bool(place) and _resolve(place, value, is_missing=False)[0] == place


def _before(section: Section[Any]) -> str:
    return f"{section.label}: " if section.label else ""


def _validate(model: type[Model], value: Any) -> Model:
    return model.model_validate_json(json.dumps(value), strict=True)


@dataclass(frozen=True, eq=False)
class _Failure:
    """One error of pydantic.

    Args:
        place: Place of the value at fault, within the section.
        kind: Pydantic's type of the error.
        value: The value as it was read, or the key if the key is at fault.
        options: The options of the unions around the place, by the place of the union.
    """

    place: Place
    kind: str
    value: Any
    message: str = ""
    error: Exception | None = None
    allowed: tuple[str, ...] = ()
    options: tuple[tuple[Place, str], ...] = ()

    @property
    def is_of_key(self) -> bool:
        return (self.place, _KEY) in self.options

    @property
    def at_fault(self) -> Place:
        """The place that a validator of several fields points to, or else `place`."""
        return (*self.place, *getattr(self.error, "at", ()))

    @property
    def is_of_form(self) -> bool:
        """Whether the value has the wrong type or length, which a deeper error may explain."""
        return self.kind.endswith("_type") or self.kind in {"literal_error", "too_short", "too_long"}


_KEY: Final = "[key]"


def _failures(error: ValidationError, value: Any) -> list[_Failure]:
    """Return the failures of *error*, one per place; for a union, those of the option nearest to *value*."""
    failures = [_failure(details, value) for details in error.errors(include_url=False)]
    others = _of_other_options(failures)
    failures = [failure for failure in failures if failure not in others]
    deeper = {failure.place[:length] for failure in failures for length in range(len(failure.place))}
    by_place: dict[Place, _Failure] = {}
    for failure in failures:
        if not (failure.is_of_form and failure.place in deeper):
            by_place.setdefault(failure.place, failure)
    return list(by_place.values())


def _failure(details: ErrorDetails, value: Any) -> _Failure:
    place, options, at_fault = _resolve(details["loc"], value, is_missing=details["type"] == "missing")
    context = details.get("ctx", {})
    return _Failure(
        place,
        details["type"],
        details["input"] if options.get(place) == _KEY else at_fault,
        message=details["msg"],
        error=context.get("error"),
        allowed=tuple(re.findall(r"'([^']*)'", str(context.get("expected", "")))),
        options=tuple(options.items()),
    )


_Loc: TypeAlias = tuple[int | str, ...]


def _resolve(loc: _Loc, value: Any, *, is_missing: bool) -> tuple[Place, dict[Place, str], Any]:
    """Return the place in *value* that *loc* means, the options of unions around it, and the value there.

    Pydantic's locations contain the names of union options, which are returned by the place of the union.
    """
    place: Place = ()
    options: dict[Place, str] = {}
    for index, step in enumerate(loc):
        is_missing_field = is_missing and index == len(loc) - 1
        if isinstance(value, dict) and isinstance(step, str) and (step in value or is_missing_field):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            options[place] = f"{options[place]} {step}" if place in options else str(step)
            continue
        place = (*place, step)
    return place, options, value


def _of_other_options(failures: list[_Failure]) -> set[_Failure]:
    """Return the *failures* in options of a union other than the one nearest to the value.

    The nearest option has the form of the value and the fewest failures.
    """
    unions: dict[Place, dict[str, list[_Failure]]] = {}
    for failure in failures:
        for union, option in failure.options:
            unions.setdefault(union, {}).setdefault(option, []).append(failure)
    others: set[_Failure] = set()
    for union in sorted(unions, key=len):
        options = [left for ones in unions[union].values() if (left := [one for one in ones if one not in others])]
        if len(options) > 1:
            closest = min(options, key=lambda ones: (_has_other_form(ones, union), len(ones)))
            others.update(failure for ones in options if ones is not closest for failure in ones)
    return others


def _has_other_form(failures: list[_Failure], union: Place) -> bool:
    return any(failure.place == union and failure.is_of_form for failure in failures)


def _with_value(problem: str, written: str, failure: _Failure) -> str:
    """Return *problem* with the value at fault, unless the problem states it already."""
    if problem == _NOT_ALLOWED:
        return f"`{written}` {problem}"
    is_complete = isinstance(failure.error, HintedValueError) and failure.error.is_complete
    return problem if is_complete else f"{problem}, got `{written}`"


def _problem(section: Section[Any], value: Any, failure: _Failure) -> tuple[str, str]:
    """Return the problem and the hint for *failure*."""
    hint = _hint(section, value, failure)
    expected = expectation(section.model, failure.place) if failure.kind in _OF_PYDANTIC else None
    match failure.kind:
        case "extra_forbidden":
            return f"unknown field `{dotted(failure.place)}`", hint
        case "missing":
            return f"field `{dotted(failure.place)}` is missing", hint
        case "literal_error" | "enum" if not failure.options:
            return _NOT_ALLOWED, hint
        case "value_error" | "assertion_error" if str(failure.error):
            return getattr(failure.error, "message", str(failure.error)), hint
    if failure.kind in _OF_PYDANTIC:
        return f"expected {expected}" if expected else "not a valid value for this field", hint
    return failure.message[:1].lower() + failure.message[1:], hint


def _hint(section: Section[Any], value: Any, failure: _Failure) -> str:
    if failure.kind == "extra_forbidden":
        return _hint_for_unknown(section, failure.place)
    if isinstance(failure.error, HintedValueError) and failure.error.hint is not None:
        return failure.error.hint
    if proposal := next(_hints_with_examples(section, value, failure), None):
        return proposal
    if failure.allowed and (among := hint_among(failure.value, failure.allowed, noun="allowed")):
        return among
    return _last_hint(section, failure)


def _hints_with_examples(section: Section[Any], value: Any, failure: _Failure) -> Iterator[str]:
    """Yield hints with values that the model accepts: the probable intention, then examples.

    Without *value*, yield one example that has not been validated.
    """
    place = failure.place
    if value is None:
        shown_as = example(section.model, place[:-1] if failure.is_of_key else place)
        yield from [f"for example `{shown_as}`"] if shown_as else []
        return
    instead = getattr(failure.error, "instead", None)
    if instead is not None and _fits(section, value, place, instead):
        yield f"use `{_written(section, place, instead)}`"
    for action, meant in _corrections(failure):
        if _fits(section, value, place, meant):
            yield f"{action} `{_written(section, place, meant)}`"
    if (failure.allowed and not failure.options) or (not place and section.fields is not None):
        return
    for field in _fields_around(place[:-1] if failure.is_of_key else place):
        for proposal in examples(section.model, field):
            if _fits(section, value, field, proposal):
                yield f"for example `{_written(section, field, proposal)}`"


def _fields_around(place: Place) -> Iterator[Place]:
    """Yield the place of the field that holds *place*, then its parents."""
    yield (field := field_around(place))
    while field := field_around(field[:-1]):
        yield field


def _corrections(failure: _Failure) -> Iterator[tuple[str, Any]]:
    if failure.is_of_key or failure.kind == "missing":
        return
    if failure.kind == "string_pattern_mismatch":
        yield "use", re.sub(r"[^a-z0-9_-]+", "-", failure.value.lower()).strip("-_")[:64]
    yield from corrections(failure.value)


def _fits(section: Section[Any], value: Any, place: Place, proposal: Any) -> bool:
    """Return whether the model accepts *proposal* at *place* of *value*."""
    changed = _with(value, place, proposal)
    try:
        _validate(section.model, changed)
    except ValidationError as error:
        return all(failure.at_fault[: len(place)] != place for failure in _failures(error, changed))
    return True


def _with(value: Any, place: Place, proposal: Any) -> Any:
    """Return *value* with *proposal* at *place*."""
    if not place:
        return proposal
    step, *rest = place
    if isinstance(step, int):
        items = value if isinstance(value, list) else []
        return [_with(item, tuple(rest), proposal) if index == step else item for index, item in enumerate(items)]
    fields = value if isinstance(value, dict) else {}
    return fields | {step: _with(fields.get(step), tuple(rest), proposal)}


def _written(section: Section[Any], place: Place, value: Any) -> str:
    """Write *value* as in a file: with the name of its field, or alone as an item of a list."""
    name = (*section.place, *place)[-1:]
    if not name or isinstance(name[0], int):
        return dump_value(value)
    return dump_field(str(name[0]), value)


def _hint_for_unknown(section: Section[Any], place: Place) -> str:
    known = section.fields if section.fields is not None and len(place) == 1 else fields_at(section.model, place[:-1])
    name = str(place[-1])
    if re.fullmatch(r"[0-9]{3}\w*", name):
        return f"write numbers without commas: `1{name}`, not `1,{name}`"
    before, colon, after = name.partition(":")
    if colon and before in known:
        return f"put a space after the colon: `{before}: {after}`"
    if len(place) == 1 and name in section.top_level:
        return hint_for_top_level(name)
    return hint_among(name, known, noun="fields") or f"remove `{name}`: no field is allowed here"


def _last_hint(section: Section[Any], failure: _Failure) -> str:
    """Return the hint for a field without an example, such as one of a third-party stage."""
    if not failure.place:
        return "change one of the fields in the message"
    name = failure.place[-1]
    if isinstance(name, str) and not is_required(section.model, failure.place):
        return f"remove `{name}` to use its default"
    return f"the class `{section.model.__module__}.{section.model.__qualname__}` describes the field"
