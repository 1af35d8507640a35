"""Explain YAML syntax errors in plain English, with a correction."""

from __future__ import annotations

import json
import re
from typing import Final

import yaml
from yaml.reader import ReaderError

from corpusmill.schemas.errors import RecipeError

_CLOSING: Final = {"[": "]", "{": "}"}
_SHOWN: Final = 60


def syntax_error(error: yaml.YAMLError, text: str, file: str) -> RecipeError:
    """Return the `RecipeError`, with line and hint, for *text* that PyYAML refused with *error*."""
    line: int | None
    if text.lstrip().startswith("<"):
        problem, hint, line = "this looks like HTML or XML", MARKUP_HINT, 1
    elif isinstance(error, ReaderError):
        problem, hint, line = _of_character(error, text)
    elif isinstance(error, yaml.MarkedYAMLError):
        problem, hint, line = _of_place(error, text)
    else:
        problem, hint, line = " ".join(str(error).split()), _ANYTHING, None
    return RecipeError(f"not YAML: {problem}", file=file, line=line, hint=hint)


MARKUP_HINT: Final = "pass a YAML file instead; pages belong in a source"
_ANYTHING: Final = (
    "check this line and the line before it: a text with `: ` or ` #` in it needs quotes, a name is followed by `: `, "
    "and fields of one mapping begin in the same column"
)


def _of_character(error: ReaderError, text: str) -> tuple[str, str, int]:
    line = text.count("\n", 0, error.position) + 1
    code = f"U+{ord(text[error.position]):04X}"
    escape = f"\\u{ord(text[error.position]):04x}"
    return f"the character {code} is not allowed", f"remove it, or write it as `{escape}` in double quotes", line


def _of_place(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str, int | None]:
    lines = text.splitlines() or [""]
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return error.problem or "it cannot be parsed", _ANYTHING, None
    problem, context = error.problem or "", error.context or ""
    line = mark.line + 1
    rest = _rest(lines, mark)
    opened = error.context_mark.line + 1 if error.context_mark else line
    if "'\\t'" in problem:
        return "a tab in the indentation", "indent with spaces, not with tabs", line
    if match := re.search(r"character '(.)' that cannot start", problem):
        return f"a text cannot begin with `{match[1]}`", f"put it in quotes: `{_quoted(rest)}`", line
    if "undefined alias" in problem or context in {"while scanning an alias", "while scanning an anchor"}:
        return _of_alias(_rest(lines, error.context_mark or mark), opened)
    if "quoted scalar" in context and "end of stream" in problem:
        return "this quote is not closed", "close it with the same quote at the end of the text", opened
    if "escape" in problem or "escape" in context:
        quoted = re.match(r'"?((?:[^"\\]|\\.)*)', _rest(lines, error.context_mark or mark))
        whole = quoted[1] if quoted else ""
        return "in double quotes `\\` begins an escape", f"use single quotes: `'{_cut(whole)}'`", line
    if context.startswith("while parsing a flow"):
        return _of_brackets(mark, lines)
    if "could not find expected ':'" in problem:
        name = _rest(lines, error.context_mark or mark).split("#")[0].strip()
        return f"no colon after `{_cut(name)}`", _after_name(name), opened
    if "mapping values are not allowed" in problem:
        return _of_colon(mark, lines)
    if "another document" in problem:
        return "a second document begins with `---`", "keep one document: remove this line and all lines below it", line
    if "document start" in problem:
        return "the content of the file ends before this line", _HINT_AFTER_END, line
    if "block end" in problem or "block" in context:
        return _of_indentation(mark, lines)
    return problem, _ANYTHING, line


_HINT_AFTER_END: Final = "a file is one mapping with `name: value` in each line, not JSON Lines or INI"


def _rest(lines: list[str], mark: yaml.Mark) -> str:
    """Return the rest of the line from *mark*; empty after the last line."""
    return lines[mark.line][mark.column :] if mark.line < len(lines) else ""


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _quoted(rest: str) -> str:
    """Return the first text of *rest* in quotes; within brackets, it ends at a comma or bracket."""
    return json.dumps(_cut(re.split(r"\s#|,\s|[\]}]", rest)[0].strip()), ensure_ascii=False)


def _after_name(name: str) -> str:
    """Return the hint for a line that names a field without a colon.

    >>> _after_name("dataset:d"), _after_name("dataset d"), _after_name("sources")
    ('write `dataset: d`', 'write `dataset: d`', 'write `sources:`')
    """
    match = re.match(r"([A-Za-z_][\w-]*)(?::|\s+|$)(.*)", name)
    field, value = (match[1], match[2].strip()) if match else (name, "")
    return f"write `{field}: {_cut(value)}`" if value else f"write `{_cut(field)}:`"


def _of_alias(rest: str, line: int) -> tuple[str, str, int]:
    kind = "a name that an `&` defines" if rest.startswith("*") else "the name of an anchor"
    return f"`{rest[:1]}` begins {kind}", f"put a text that begins with it in quotes: `{_quoted(rest)}`", line


def _of_brackets(mark: yaml.Mark, lines: list[str]) -> tuple[str, str, int]:
    opened, bracket = _innermost_bracket(mark, lines)
    closing = _CLOSING[bracket]
    if mark.line != opened or not _rest(lines, mark):
        problem = f"the `{bracket}` in line {opened + 1} is not closed"
        return problem, f"close it with `{closing}`, and put a comma between items", opened + 1
    problem = f"expected a comma or `{closing}`, got `{_cut(_rest(lines, mark))}`"
    return problem, "put a comma between items, and a text with `: `, `[` or `{` in quotes", mark.line + 1


def _innermost_bracket(mark: yaml.Mark, lines: list[str]) -> tuple[int, str]:
    """Return line (from 0) and character of the last unclosed bracket before *mark*, ignoring quoted ones."""
    opened = [(mark.line, "[")]
    before = [*lines[: mark.line], lines[mark.line][: mark.column] if mark.line < len(lines) else ""]
    for number, line in enumerate(before):
        for match in re.finditer(r"'[^']*'|\"[^\"]*\"|\s#.*|[\[{]|[\]}]", line):
            if match[0] in _CLOSING:
                opened.append((number, match[0]))
            elif match[0] in _CLOSING.values() and len(opened) > 1:
                opened.pop()
    return opened[-1]


def _of_colon(mark: yaml.Mark, lines: list[str]) -> tuple[str, str, int]:
    """Explain an unexpected colon: it is missing in the line before, or the line has two of them, or is indented."""
    line = lines[mark.line]
    before = line[: mark.column]
    if match := re.match(r"(\s*(?:- )*[\w-]+): +(.*)", before):
        value = json.dumps(f"{match[2]}{line[mark.column :]}".strip(), ensure_ascii=False)
        hint = f"put the text in quotes: `{match[1].strip()}: {_cut(value)}`"
        return "a second `: ` in one line", hint, mark.line + 1
    number = next((index for index in range(mark.line - 1, -1, -1) if lines[index].strip()), None)
    previous = "" if number is None else lines[number].strip()
    if number is not None and not re.search(r":(\s|$)", previous) and not previous.startswith(("#", "-")):
        problem = "no space after the colon" if ":" in previous else "no colon"
        return f"{problem} in `{_cut(previous)}`", _after_name(previous), number + 1
    return "this line is indented further than the field above it", _SAME_COLUMN, mark.line + 1


_SAME_COLUMN: Final = "begin all fields of a mapping in the same column, and all items of a list"


def _of_indentation(mark: yaml.Mark, lines: list[str]) -> tuple[str, str, int]:
    if _rest(lines, mark).startswith(":"):
        return "no name before the colon", "write `name: value`", mark.line + 1
    above = next((number for number in range(mark.line - 1, -1, -1) if lines[number].strip()), None)
    column = None if above is None else len(lines[above]) - len(lines[above].lstrip())
    if above is None or column == mark.column:
        return f"`{_cut(_rest(lines, mark))}` does not match the lines above it", _ANYTHING, mark.line + 1
    spaces = f"{mark.column} space{'' if mark.column == 1 else 's'}"
    problem = f"indented by {spaces}, while line {above + 1} is indented by {column}"
    return problem, _SAME_COLUMN, mark.line + 1
