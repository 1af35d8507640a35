"""Parse untrusted YAML, with the line of every key and item: recipes, training configurations, front matter.

Scalars follow YAML 1.2: ``no`` is a text and not false, ``1:30`` is a text, ``010`` is ten. The size of a file, its
depth and the expansion of its aliases are limited. The result has plain values only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.yaml_syntax import syntax_error

Place: TypeAlias = tuple[str | int, ...]
"""Keys and positions (from 0) that lead to a value."""

MAX_FILE_BYTES: Final = 250_000
MAX_NODES: Final = 50_000
MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 1000
_TOO_DEEP: Final = "a recipe or a configuration has fewer than 10 levels; check for unclosed brackets"
_MAGIC: Final = {
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a file compressed with gzip",
    b"\x28\xb5\x2f\xfd": "a file compressed with Zstandard",
    b"BZh": "a file compressed with bzip2",
    b"PK\x03\x04": "a ZIP archive",
    b"%PDF": "a PDF file",
    b"SQLite": "a database",
}
"""First bytes of files that are often passed by mistake."""
_TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}


def dotted(place: Place) -> str:
    """Return *place* in the form of error messages, with positions from 0: ``stages.3.near_dedup.bands``."""
    return ".".join(map(str, place))


@dataclass(frozen=True)
class FileKind:
    """A kind of file, as messages describe it.

    Args:
        name: Singular, without article.
        first: Hint: how to create a first file of this kind.
        form: Its first fields.
        fields: Fields that show the kind of a file.
        command: The command that takes the file.
    """

    name: str
    first: str
    form: str = "`name: value`"
    fields: frozenset[str] = frozenset()
    command: str = ""


RECIPE: Final = FileKind(
    "recipe",
    first="write a first recipe with `corpusmill init`",
    form="`dataset: …`, `sources: …`, `stages: …`",
    fields=frozenset(("dataset", "sources", "stages", "split", "shards", "checks")),
    command="corpusmill run",
)
TRAINING: Final = FileKind(
    "training configuration",
    first="a first one needs `run: NAME`, `version: DATASET` and `steps: 1000`",
    form="`run: …`, `version: …`, `steps: …`",
    fields=frozenset(("run", "version", "steps", "model", "optimizer", "batch")),
    command="corpusmill train",
)
_MIN_FIELDS: Final = 2
"""Fields of another kind from which a file counts as one of that kind."""


def meant_kind(value: Mapping[str, Any], kind: FileKind) -> FileKind:
    """Return the kind of file that *value* is, which was read as *kind*: the other one if its fields show that."""
    other = TRAINING if kind is RECIPE else RECIPE
    others, own = len(other.fields & value.keys()), len(kind.fields & value.keys())
    return other if others >= _MIN_FIELDS and others > own else kind


@dataclass(frozen=True)
class LocatedYaml:
    """The content of a file, and the line (from 1) of each key and item."""

    file: str
    value: Any
    lines: Mapping[Place, int] = field(default_factory=dict)
    errors: tuple[RecipeError, ...] = ()
    unread: Mapping[Place, RecipeError] = field(default_factory=dict)
    """Those of `errors` about unreadable values, by place. The value at the place is None."""
    numbers: Mapping[Place, str] = field(default_factory=dict)
    """Numbers as written in the file: ``1e3`` is read as 1000.0."""

    def line(self, place: Place) -> int | None:
        """Return the line of *place*, or of its nearest parent in the file."""
        for length in range(len(place), -1, -1):
            if (line := self.lines.get(place[:length])) is not None:
                return line
        return None


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


class _Dumper(yaml.SafeDumper):
    """PyYAML's writer. It quotes texts that YAML 1.1 or 1.2 would not read as text."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_text(dumper: _Dumper, text: str) -> yaml.Node:
    """Quote a text with an unusual line break of YAML 1.1, which would otherwise become a space."""
    style = '"' if any(mark in text for mark in "\x85\u2028\u2029") else None
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


class _LineDumper(_Dumper):
    """A writer of single lines. It also quotes texts with a line break."""


def _write_line(dumper: _Dumper, text: str) -> yaml.Node:
    style = '"' if "".join(text.splitlines()) != text else None
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


_Dumper.add_representer(str, _write_text)
_LineDumper.add_representer(str, _write_line)
for _kind, (_pattern, _first) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"{_TAG}{_kind}", re.compile(rf"^(?:{_pattern})$"), ["" if c == "\0" else c for c in _first]
        )


def dump_yaml(value: Any) -> str:
    """Write *value* (plain values only) so that `parse_yaml` and any YAML 1.1 reader return it unchanged."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def dump_field(name: str, value: Any) -> str:
    """Write one field on one line.

    >>> dump_field("languages", ["en", "no"]), dump_field("limit", None)
    ("languages: [en, 'no']", 'limit: null')
    """
    field = {name: value}
    is_flow = isinstance(value, (dict, list))
    line = yaml.dump(
        field, Dumper=_LineDumper, sort_keys=False, allow_unicode=True, width=math.inf, default_flow_style=is_flow
    )
    return line.strip()[1:-1] if is_flow else line.strip()


def dump_value(value: Any) -> str:
    """Write *value* on one line, as an item of a list.

    >>> dump_value("no"), dump_value({"a": [1]})
    ("'no'", '{a: [1]}')
    """
    line = dump_field("x", value)
    return line.removeprefix("x: ")


def read_yaml(path: str | Path, *, kind: FileKind = RECIPE) -> LocatedYaml:
    """Read the YAML file at *path*, which should be of *kind*.

    Raises:
        RecipeError: The file does not exist, or is not YAML.
    """
    file = str(path)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        hint = (
            "give this user permission to read the file"
            if isinstance(error, PermissionError)
            else _neighbors(path, kind)
        )
        raise RecipeError(f"cannot be read: {error.strerror}", file=file, hint=hint) from None
    if len(data) > MAX_FILE_BYTES:
        raise RecipeError(f"the file is larger than {MAX_FILE_BYTES} bytes", file=file, hint=f"is this a {kind.name}?")
    return parse_yaml(_decode(data, file, kind), file=file, kind=kind)


def _neighbors(path: str | Path, kind: FileKind) -> str:
    """Return the hint with the YAML files in the folder *path*, or in its parent."""
    parent = Path(path) if Path(path).is_dir() else Path(path).parent
    others = sorted(parent.glob("*.y*ml"))[:5] if parent.is_dir() else []
    if others:
        return f"YAML files in this folder: {', '.join(other.name for other in others)}"
    return kind.first


def _decode(data: bytes, file: str, kind: FileKind) -> str:
    if (name := next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)) is not None:
        raise RecipeError(f"not text: this is {name}", file=file, hint=f"pass a {kind.name} instead; {kind.first}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise RecipeError("not UTF-8 text, but UTF-16", file=file, line=1, hint=_convert_hint("UTF-16", file))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"not UTF-8 text: the byte 0x{data[error.start]:02x} is not valid"
        raise RecipeError(problem, file=file, line=line, hint=_convert_hint("WINDOWS-1252", file)) from None


def _convert_hint(encoding: str, file: str) -> str:
    """Return the hint to convert *file* to UTF-8. ``iconv`` cannot write to the file that it reads."""
    return f"save the file as UTF-8, in an editor or with `iconv -f {encoding} -t UTF-8 {file} > utf-8.yaml`"


def parse_yaml(text: str, *, file: str, kind: FileKind = RECIPE) -> LocatedYaml:
    """Parse *text*. Problems that leave the rest readable, such as a repeated key, are in `errors`.

    Raises:
        RecipeError: The text is not YAML, or exceeds a limit.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise syntax_error(error, text, file) from None
    except RecursionError:
        raise RecipeError(f"nested deeper than {MAX_DEPTH} levels", file=file, hint=_TOO_DEEP) from None
    if root is None:
        raise RecipeError("the file is empty", file=file, hint=kind.first)
    reader = _Reader(file)
    value = reader.value(root, ())
    return LocatedYaml(file, value, reader.lines, tuple(reader.errors), reader.unread, reader.numbers)


class _Reader:
    """Converts nodes to plain values, and collects lines and problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Place, int] = {}
        self.errors: list[RecipeError] = []
        self.unread: dict[Place, RecipeError] = {}
        self.numbers: dict[Place, str] = {}
        self._nodes = 0

    def value(self, node: yaml.Node, place: Place) -> Any:
        self._nodes += 1
        self.lines.setdefault(place, node.start_mark.line + 1)
        if len(place) > MAX_DEPTH:
            raise self._error(f"nested deeper than {MAX_DEPTH} levels", node, place[:1], hint=_TOO_DEEP)
        if self._nodes > MAX_NODES:
            hint = "each use of an alias (`*name`) counts"
            raise self._error(f"more than {MAX_NODES} values", node, place, hint=hint)
        match node:
            case yaml.MappingNode() if node.tag == f"{_TAG}map":
                return self._mapping(node, place)
            case yaml.SequenceNode() if node.tag == f"{_TAG}seq":
                return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self._scalar(node, place)
        self._refuse(self._forbidden_tag(node, place), place)
        return None

    def _refuse(self, error: RecipeError, place: Place) -> None:
        self.errors.append(error)
        self.unread[place] = error

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, item in node.value:
            key = self._key(key_node, place)
            if key is None:
                continue
            line = key_node.start_mark.line + 1
            if key in mapping:
                first = self.lines[(*place, key)]
                problem = f"field `{key}` occurs twice, first in line {first}"
                hint = f"keep one of them: remove `{key}` here or in line {first}"
                self.errors.append(self._error(problem, key_node, (*place, key), hint=hint))
                continue
            self.lines[(*place, key)] = line
            mapping[key] = self.value(item, (*place, key))
        return mapping

    def _key(self, node: yaml.Node, place: Place) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag in {f"{_TAG}str", *(f"{_TAG}{kind}" for kind in _SCALARS)}:
            return str(node.value)
        hint = "write `name: value`; put a name that begins with `[` or `{` in quotes"
        self.errors.append(self._error("a name must be text", node, place, hint=hint))
        return None

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if kind not in {"str", *_SCALARS}:
            self._refuse(self._forbidden_tag(node, place), place)
            return None
        if kind in {"int", "float"}:
            self.numbers[place] = node.value
        try:
            return _convert(kind, node.value)
        except ValueError as error:
            self._refuse(self._unreadable(kind, error, node, place), place)
            return None

    def _unreadable(self, kind: str, error: ValueError, node: yaml.ScalarNode, place: Place) -> RecipeError:
        is_number = bool(re.match(r"[-+.]?[0-9.]", node.value))
        problem = str(error) if is_number else f"not a value of the tag `{kind}`"
        hint = "write a number such as `0.8`, or `null` if the field allows no limit"
        message = f"{problem}, got `{_short(node.value)}`"
        return self._error(message, node, place, hint=hint, value=node.value if is_number else None)

    def _forbidden_tag(self, node: yaml.Node, place: Place) -> RecipeError:
        hint = f"remove `{node.tag}`, or put the text in quotes if it begins with `!`"
        return self._error(f"tags such as `{node.tag}` are not allowed", node, place, hint=hint)

    def _error(
        self, message: str, node: yaml.Node, place: Place, *, hint: str | None, value: Any = None
    ) -> RecipeError:
        line, field = node.start_mark.line + 1, dotted(place) or None
        return RecipeError(message, file=self.file, line=line, field=field, value=value, hint=hint)


def _convert(kind: str, text: str) -> Any:
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            if len(text) > MAX_DIGITS:
                raise ValueError(f"a whole number cannot have more than {MAX_DIGITS} digits")
            return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))
        case "float":
            return _finite(text)
    return text


def _finite(text: str) -> float:
    """Parse *text* as a finite number; ``1e999`` is infinite."""
    number = math.inf if text.strip("+-").lower() in {".inf", ".nan"} else float(text)
    if not math.isfinite(number):
        raise ValueError("a number must be finite")
    return number


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
