"""YAML with line numbers, and protection against hostile files."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.located_yaml import MAX_FILE_BYTES, FileKind, dump_field, dump_yaml, parse_yaml, read_yaml

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=20) | st.sampled_from(
    [
        "no",
        "Yes",
        "on",
        "1e3",
        "010",
        "1:30",
        "0o7",
        "~",
        "",
        "null",
        "2024-01-01",
        "<<",
        "=",
        "- a",
        "a: b",
        "# c",
        "*x",
    ]
)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(value=plain)
@example(value={"\x85": None, "a": "one\u2028two"})
def test_written_yaml_reads_back_as_the_same_value(value: Any) -> None:
    """A resolved recipe must mean the same to us and to any other YAML parser."""
    written = dump_yaml({"value": value})

    assert parse_yaml(written, file="r.yaml").value == {"value": value}
    assert yaml.safe_load(written) == {"value": value}


def test_every_key_and_item_knows_its_line() -> None:
    """Errors name the line of the value."""
    located = parse_yaml("a: 1\nb:\n  - x\n  - y: 2\n    z:\n      3\n", file="r.yaml")

    assert located.lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 1): 4,
        ("b", 1, "y"): 4,
        ("b", 1, "z"): 5,
    }
    assert located.line(("b", 1, "missing")) == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", 1000),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("true", True),
        ("~", None),
        ("", None),
        ('"1"', "1"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """`keep: [no]` means Norwegian, but YAML 1.1 would read false."""
    assert parse_yaml(f"a: {text}", file="r.yaml").value == {"a": value}


def test_a_repeated_key_is_reported_with_both_lines() -> None:
    """PyYAML would silently use the last one."""
    located = parse_yaml("a: 1\nb: 2\na: 3\n", file="r.yaml")

    assert [str(error) for error in located.errors] == ["r.yaml:3: field `a` occurs twice, first in line 1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system [id]", "tags such as"),
        ("a: !secret x", "tags such as"),
        ("a: .inf", "a number must be finite"),
        ("a: !!int x", "not a value of the tag"),
        ("[a]: 1", "a name must be text"),
    ],
)
def test_values_that_are_not_plain_are_problems(text: str, message: str) -> None:
    """A file can contain text, numbers, lists and mappings only, so that it cannot run code."""
    located = parse_yaml(text, file="r.yaml")

    assert message in located.errors[0].message
    assert located.errors[0].line == 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "the file is empty"),
        ("# nothing\n", None, "the file is empty"),
        ("a:\n\t- b\n", 2, "not YAML: a tab in the indentation"),
        ("a: b: c\n", 1, "not YAML: a second `: `"),
        ("a: [1,\n", 1, "not YAML"),
        ("a: *b\n", 1, "not YAML: `*` begins a name"),
        ("a: 1\n---\nb: 2\n", 2, "not YAML: a second document begins"),
        ("a: \x07\n", 1, "not YAML"),
        ("a: &x [*x]\n", 1, "nested deeper"),
    ],
)
def test_text_that_is_not_yaml_is_refused_with_its_line(text: str, line: int | None, message: str) -> None:
    """The user needs the line of the error, not a traceback."""
    with pytest.raises(RecipeError) as caught:
        parse_yaml(text, file="r.yaml")

    assert message in caught.value.message
    assert caught.value.line == line


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)),
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 100_000,
        "- a\n" * 51_000,
    ],
    ids=["aliases", "lists", "mappings", "items", "length"],
)
def test_a_bomb_is_refused_in_seconds(bomb: str) -> None:
    """A hostile recipe must not use up memory or time."""
    start = time.process_time()

    with pytest.raises(RecipeError, match=r"nested deeper|more than"):
        parse_yaml(bomb, file="r.yaml")

    assert time.process_time() - start < 20


def test_a_file_that_cannot_be_read_is_named_with_its_neighbours(tmp_path: Path) -> None:
    """The most common reason is a misspelled name."""
    (tmp_path / "news.yaml").write_text("a: 1\n")

    with pytest.raises(RecipeError, match=r"cannot be read: No such file") as caught:
        read_yaml(tmp_path / "new.yaml")

    assert caught.value.hint == "YAML files in this folder: news.yaml"


def test_a_binary_or_huge_file_is_refused(tmp_path: Path) -> None:
    """Passing a Parquet file as the recipe must not crash."""
    (tmp_path / "binary.yaml").write_bytes(b"a: 1\n\xff\xfe")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))

    with pytest.raises(RecipeError, match=r"binary\.yaml:2: not UTF-8"):
        read_yaml(tmp_path / "binary.yaml")
    with pytest.raises(RecipeError, match="larger than"):
        read_yaml(tmp_path / "huge.yaml")


@given(name=st.from_regex(r"[a-z_]{1,9}", fullmatch=True), value=plain)
def test_a_field_on_one_line_reads_back_as_the_same_value(name: str, value: Any) -> None:
    """A user can paste the field that a hint proposes into the file."""
    line = dump_field(name, value)

    assert len(line.splitlines()) == 1
    assert parse_yaml(line, file="r.yaml").value == {name: value}


def test_a_value_that_cannot_be_read_is_marked_as_such() -> None:
    """The null in place of the value must not be reported a second time."""
    located = parse_yaml("a: .nan\nb: [1, !x 2]\nc: ~\n", file="r.yaml")

    assert located.value == {"a": None, "b": [1, None], "c": None}
    assert located.unread.keys() == {("a",), ("b", 1)}


def test_hints_depend_on_the_expected_kind_of_file(tmp_path: Path) -> None:
    """A training configuration is not a recipe, and `init` does not write one."""
    kind = FileKind("shopping list", first="write one")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))

    with pytest.raises(RecipeError) as huge:
        read_yaml(tmp_path / "huge.yaml", kind=kind)
    with pytest.raises(RecipeError) as empty:
        parse_yaml("", file="empty.yaml", kind=kind)

    assert (huge.value.hint, empty.value.hint) == ("is this a shopping list?", "write one")
