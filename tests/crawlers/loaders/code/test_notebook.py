"""Notebooks: text and code in order, without outputs and images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from corpusmill.crawlers.loaders.notebook import Notebook
from tests.crawlers.loaders.reading import Row, rows

IMAGE = "iVBORw0KGgo" * 50
CELLS: list[dict[str, Any]] = [
    {"cell_type": "raw", "source": "raw words"},
    {"cell_type": "markdown", "source": ["Before **all**.\n", "\n", "# The *title*\n", "![p](attachment:p.png) end"]},
    {"cell_type": "markdown", "source": f"![x](data:image/png;base64,{IMAGE})\n<img src='data:{IMAGE}'>\n\nAfter."},
    {
        "cell_type": "code",
        "source": ["x = '<b>'\n", "print(x)\n"],
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["\x1b[31mprinted\x1b[0m\n"]},
            {"output_type": "execute_result", "data": {"image/png": IMAGE, "text/plain": "42 results"}},
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["wrong"]},
        ],
    },
]
V4 = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"language": "R"}, "language_info": {"name": "python"}, "authors": [{"name": "Ann"}]},
    "cells": CELLS,
}


def read(folder: Path, notebook: Any, **options: Any) -> Row:
    path = folder / "a.ipynb"
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")
    (row,) = rows(Notebook(**options), path, name="a.ipynb")
    return row


def test_text_and_code_stand_in_order(tmp_path: Path) -> None:
    """A notebook explains its code; outputs, images and raw cells would be noise."""
    row = read(tmp_path, V4)

    assert row["text"] == "Before all.\n\nThe title\n\n end\n\nAfter.\n\nx = '<b>'\nprint(x)".replace(
        "\n\n end", "\n\nend"
    )
    assert row["title"] == "The title"
    assert row["metadata"] == {"nbformat": "4.5", "programming_language": "python"}
    assert row["source_id"] == "a.ipynb"


def test_the_text_of_outputs_stays_by_choice(tmp_path: Path) -> None:
    """Colors of the terminal and tracebacks are no text."""
    text = read(tmp_path, V4, keep=["outputs"])["text"]

    assert text.endswith("print(x)\n\nprinted\n\n42 results")


def test_version_3_is_read(tmp_path: Path) -> None:
    """Older notebooks have worksheets, headings as cells, and code in `input`."""
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Old\n"]},
        {
            "cell_type": "code",
            "language": "julia",
            "input": ["a = 1"],
            "outputs": [{"output_type": "pyout", "text": ["one"], "png": IMAGE}],
        },
    ]
    row = read(tmp_path, {"nbformat": 3, "worksheets": [{"cells": cells}]}, keep=["outputs"])

    assert row["text"] == "Old\n\na = 1\n\none"
    assert (row["title"], row["metadata"]["programming_language"]) == ("Old", "julia")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("{", "error.not_json"),
        ("[" * 100_000, "error.too_deep"),
        ("[]", "error.wrong_format"),
        ('{"cells": 3}', "error.wrong_format"),
        ('{"a": 1}', "error.wrong_format"),
        ('{"cells": [{"cell_type": "raw", "source": "x"}, 4]}', "error.no_text"),
    ],
)
def test_what_is_no_notebook_is_set_aside(tmp_path: Path, content: str, rule: str) -> None:
    """Each kind of damage has its rule."""
    assert read(tmp_path, content)["rule"] == rule


def test_half_of_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    """JSON can name one, and no column of text takes it."""
    row = read(tmp_path, '{"cells": [{"cell_type": "code", "source": "a \\ud800 b"}]}')

    assert row["text"] == "a \N{REPLACEMENT CHARACTER} b"
