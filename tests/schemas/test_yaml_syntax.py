"""Errors of YAML's syntax: the line to look at, and what to write there."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.located_yaml import RECIPE, parse_yaml, read_yaml
from corpusmill.schemas.problems import Problems


@pytest.mark.parametrize(
    ("text", "line", "problem", "hint"),
    [
        ("a: 1\nb: [x, y\n", 2, "the `[` in line 2 is not closed", "close it with `]`"),
        ("a: 1\nb: [x, y\nc: {d: 1}\n", 2, "the `[` in line 2 is not closed", "close it with `]`"),
        ("- load: {name: a, path: '}'\nb: 1\n", 1, "the `{` in line 1 is not closed", "close it with `}`"),
        ("a: [x, y: z: 1]\n", 1, "expected a comma or `]`, got `: 1]`", "put a comma between items"),
        ("a:\n\tb: 1\n", 2, "a tab in the indentation", "indent with spaces"),
        ("dataset d\nsources: []\n", 1, "no colon in `dataset d`", "write `dataset: d`"),
        ("dataset: d\nsources\n  - x\n", 2, "no colon after `sources", "write `sources:"),
        ("dataset:d\nsources: []\n", 1, "no space after the colon in `dataset:d`", "write `dataset: d`"),
        ("a: b: c\n", 1, "a second `: ` in one line", '`a: "b: c"`'),
        ("a: 1\n b: 2\n", 2, "indented further than the field above it", "begin all fields of a mapping"),
        ("x:\n    a: 1\n   b: 2\n", 3, "indented by 3 spaces, while line 2 is indented by 4", "begin all fields"),
        ("a:\n  - @x\n", 2, "a text cannot begin with `@`", '`"@x"`'),
        ("a: {b: %x, c: 1}\n", 1, "a text cannot begin with `%`", '`"%x"`'),
        ("a: `x` # code\n", 1, "a text cannot begin with", '`"`x`"`'),
        ("a: {path: *.txt}\n", 1, "`*` begins a name", '`"*.txt"`'),
        ("a: */x.txt\n", 1, "`*` begins a name", '`"*/x.txt"`'),
        ("a: *src\n", 1, "`*` begins a name", '`"*src"`'),
        ("a: 'x\nb: 1\n", 1, "this quote is not closed", "close it with the same quote"),
        ('a: ["\\.html$", "b"]\n', 1, "in double quotes `\\` begins an escape", "use single quotes: `'\\.html$'`"),
        ('a: "\\d+"\n', 1, "in double quotes `\\` begins an escape", "`'\\d+'`"),
        (": 3\n", 1, "no name before the colon", "write `name: value`"),
        ("a: 1\nb: \x07\n", 2, "the character U+0007 is not allowed", "`\\u0007`"),
        ('{"a": 1}\n{"a": 2}\n', 2, "the content of the file ends", "JSON Lines"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins", "keep one document"),
        ("<!DOCTYPE html>\n<p>x: y: z</p>\n", 1, "this looks like HTML or XML", "pass a YAML file"),
        ("a: &x 1\nb: &x y\nc: !<> 3\n", None, "", "check this line"),
    ],
)
def test_a_syntax_error_names_the_line_to_change_and_the_right_form(
    text: str, line: int | None, problem: str, hint: str
) -> None:
    """`expected <block end>, but found '<block mapping start>'` helps only who has written a parser."""
    with pytest.raises(RecipeError) as caught:
        parse_yaml(text, file="r.yaml")

    assert caught.value.message.startswith("not YAML: ")
    assert problem in caught.value.message
    assert hint in (caught.value.hint or "")
    assert line in (None, caught.value.line)


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("dataset: d\n".encode("utf-16"), "UTF-16", "iconv -f UTF-16"),
        ("dataset: d\n".encode("utf-16-le"), "UTF-16", "iconv -f UTF-16"),
        (b"dataset: d\ntitle: caf\xe9\n", "the byte 0xe9", "iconv -f WINDOWS-1252"),
        (b"PAR1\x15\x04", "this is a Parquet file", "pass a recipe instead"),
        (b"\x1f\x8b\x08\x00", "compressed with gzip", "pass a recipe instead"),
        (b"", "the file is empty", "corpusmill init"),
        (b"# only a comment\n", "the file is empty", "corpusmill init"),
    ],
)
def test_a_file_that_is_no_text_is_named_as_what_it_is(tmp_path: Path, content: bytes, message: str, hint: str) -> None:
    """The wrong file was named, or an editor saved it in an old encoding."""
    (tmp_path / "r.yaml").write_bytes(content)

    with pytest.raises(RecipeError, match=message) as caught:
        read_yaml(tmp_path / "r.yaml")

    assert hint in (caught.value.hint or "")


def test_a_byte_order_mark_and_json_are_read(tmp_path: Path) -> None:
    """Editors of Windows write the one, and the other is YAML."""
    (tmp_path / "r.yaml").write_bytes(b'\xef\xbb\xbf{"a": [1, {"b": null}]}')

    assert read_yaml(tmp_path / "r.yaml").value == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("- a\n", "begin each field with its name, not with `- `"),
        ("dataset:d\n", "as in `dataset: d`"),
        ("dataset = 'd'\n", "as in `dataset: 'd'`"),
        ("<html></html>\n", "this looks like"),
        ("hello\n", "`corpusmill init`"),
        ("~\n", "`corpusmill init`"),
    ],
)
def test_a_value_that_is_no_mapping_is_refused_with_a_first_step(text: str, hint: str) -> None:
    """The file is YAML, but a list or a single text."""
    try:
        error = Problems(parse_yaml(text, file="r.yaml")).not_a_mapping(RECIPE)
    except RecipeError as syntax:
        error = syntax

    assert hint in f"{error.message} {error.hint}" or "pass a YAML file" in (error.hint or "")
    assert error.hint


def test_all_problems_of_the_reader_have_hints_and_fields() -> None:
    """Values that YAML allows and we do not: infinite numbers, tags, names that are lists, a name twice."""
    located = parse_yaml(f"a: .inf\nb: !secret x\nc: 1\nc: 2\n? [d]\n: 1\ne: {'9' * 2000}\n", file="r.yaml")

    assert [(error.line, error.field) for error in located.errors] == [
        (1, "a"),
        (2, "b"),
        (4, "c"),
        (5, None),
        (7, "e"),
    ]
    assert all(error.hint for error in located.errors)
