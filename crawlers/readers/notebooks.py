"""Jupyter notebooks, nbformat 3 and 4: text and code in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from corpusmill.crawlers.loaders.markdown import first_heading, parse, plain_text

_IMAGE: Final = re.compile(r"!\[[^\]\[]*\]\((?:attachment|data):[^)\s]*(?:\s+[\"'][^\"')]*[\"'])?\)", re.IGNORECASE)
_IMAGE_TAG: Final = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"^ {0,3}\[[^\]\n]{1,200}\]:\s*<?(?:data|attachment):\S*", re.IGNORECASE | re.MULTILINE)
_CONTROL: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
"""Colors of a terminal (ECMA-48), with which errors and progress bars are printed."""
_KEY_OF_TEXT: Final = ("text/plain", "text")


def cells_of(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells of *notebook*; in nbformat 3, they are in worksheets.

    Raises:
        ValueError: *notebook* has no list of cells.
    """
    sheets = notebook.get("worksheets")
    if isinstance(sheets, list) and "cells" not in notebook:
        lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    else:
        lists = [notebook.get("cells")]
    if not all(isinstance(cells, list) for cells in lists):
        raise ValueError("not a notebook: it has no list of cells")
    return [cell for cells in lists for cell in cells or [] if isinstance(cell, dict)]


def title_and_text(cells: list[dict[str, Any]], *, outputs: bool) -> tuple[str | None, str]:
    """Return the first heading of *cells*, and their text; raw cells and images have none.

    Args:
        outputs: Whether the text of outputs follows the code that printed it. Errors and images are left out.
    """
    title: str | None = None
    blocks: list[str] = []
    for cell in cells:
        match cell.get("cell_type"):
            case "markdown" | "html" | "heading":
                tokens = parse(_markdown(cell))
                title = title or first_heading(tokens)
                blocks.append(plain_text(tokens))
            case "code":
                blocks.append(joined(cell.get("source", cell.get("input"))).strip("\n"))
                blocks += _outputs(cell) if outputs else ()
    return title, "\n\n".join(block for block in blocks if block.strip())


def language_of(notebook: dict[str, Any]) -> str:
    """Return the programming language of the kernel, else that of the first code cell; empty if none is named."""
    about = notebook.get("metadata")
    metadata = about if isinstance(about, dict) else {}
    for part, field in (("language_info", "name"), ("kernelspec", "language")):
        entry = metadata.get(part)
        if isinstance(entry, dict) and isinstance(name := entry.get(field), str) and name:
            return name
    languages = (cell.get("language") for cell in cells_of(notebook))
    return next((name for name in languages if isinstance(name, str) and name), "")


def joined(source: Any) -> str:
    """Return a text of a notebook, which is one string or a list of lines with their ends.

    >>> joined(["a\\n", "b"]), joined("a"), joined(None)
    ('a\\nb', 'a', '')
    """
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _markdown(cell: dict[str, Any]) -> str:
    source = joined(cell.get("source")).replace("\r\n", "\n")
    if cell.get("cell_type") == "heading":  # nbformat 3
        level = cell.get("level")
        return f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {' '.join(source.split())}"
    return _REFERENCE.sub("", _IMAGE_TAG.sub("", _IMAGE.sub("", source)))


def _outputs(cell: dict[str, Any]) -> Iterator[str]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict) or output.get("output_type") in {"error", "pyerr"}:
            continue
        data = output.get("data")
        source = data if isinstance(data, dict) else output
        text = next((joined(source[key]) for key in _KEY_OF_TEXT if key in source), "")
        yield _CONTROL.sub("", text).strip("\n")
