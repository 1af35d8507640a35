"""The part of `explain` that searches for documents like a text: ``--like FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from corpusmill.commands.place import workspace_of
from corpusmill.commands.rows import row_as_text
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import DataError, UsageError
from corpusmill.terminal.console import Console
from corpusmill.terminal.figures import plural

_MAX_BYTES: Final = 2 * MAX_TEXT_BYTES + 2
"""Size of a file that may hold a text of `MAX_TEXT_BYTES`: UTF-16 takes up to twice as many, and a byte order mark."""
_PRINTED: Final = ("id", "source", "title", "url", "source_id", "rule", "cluster_size", "sample_text")


def explain_like(console: Console, file: Path, dataset: str | None) -> None:
    """Print the documents that are like the text in *file*, or on standard input if it is ``-``.

    Raises:
        UsageError: The file cannot be read, or no version has an index of near duplicates.
        DataError: The file is not text.
    """
    from corpusmill.pipelines.dataset.like import like

    text = _text(file)
    result = {"like": str(file), **like(text, workspace_of(console), dataset=dataset)}
    if console.as_json:
        console.data(result)
        return
    for version in result["not_searched"]:
        console.warn(f"not searched: {version['reason']}")
    if not result["matches"]:
        console.text(_nothing(result))
        return
    for line in _judgment(result):
        console.text(line)
    for match in result["matches"]:
        console.text(f"\n{_match_as_text(match)}".rstrip())
    for line in _more(result):
        console.say(line)


def _text(file: Path) -> str:
    from corpusmill.schemas.decoding.texts import decode_text

    data = _bytes(file)
    try:
        if len(data) > _MAX_BYTES:
            raise DataError(f"the text is larger than {MAX_TEXT_BYTES:,} bytes", kind="too_large")
        return decode_text(data)
    except DataError as error:
        hint = error.hint or "--like reads plain text; `corpusmill extract page.html` prints the text of a page"
        raise DataError(f"{file}: {error.message}", kind=error.kind, hint=hint) from error


def _bytes(file: Path) -> bytes:
    """Return the content of *file*, at most one byte more than `_MAX_BYTES`."""
    if str(file) == "-":
        return sys.stdin.buffer.read(_MAX_BYTES + 1)
    try:
        with file.open("rb") as opened:
            return opened.read(_MAX_BYTES + 1)
    except IsADirectoryError as error:
        raise UsageError(f"{file} is a folder", hint="name one file") from error
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", hint="check the path and its permissions"
        ) from error


def _subject(result: dict[str, Any]) -> str:
    return "the text" if result["like"] == "-" else str(result["like"])


def _nothing(result: dict[str, Any]) -> str:
    if not result["has_words"]:
        return f"{_subject(result)} has no words"
    documents = sum(index["documents"] for index in result["searched"])
    return f"no document is like {_subject(result)} ({plural(documents, 'document')} searched)"


def _judgment(result: dict[str, Any]) -> list[str]:
    """Return a line for each data set in which the text has a near duplicate: the most similar one.

    >>> match = {"dataset": "a", "version": "0f", "id": "1d", "similarity": 0.9, "threshold": 0.8, "keep": "oldest"}
    >>> _judgment({"like": "new.txt", "matches": [match | {"is_near_duplicate": True}]})
    ['new.txt would be removed as a near duplicate of 1d in a@0f (similarity 0.9, threshold 0.8)']
    """
    lines: dict[str, str] = {}
    for match in result["matches"]:
        if match.get("is_near_duplicate"):
            is_removed = match["keep"] == "oldest"  # the text would be the newest document
            verb = "would be removed as" if is_removed else "is"
            numbers = f"similarity {match['similarity']:.4g}, threshold {match['threshold']:g}"
            place = f"{match['id']} in {match['dataset']}@{match['version']}"
            rest = "" if is_removed else f"; `keep: {match['keep']}` decides which one stays"
            line = f"{_subject(result)} {verb} a near duplicate of {place} ({numbers}){rest}"
            lines.setdefault(match["dataset"], line)
    return list(lines.values()) or [f"{_subject(result)} has no near duplicate among the published documents"]


def _match_as_text(match: dict[str, Any]) -> str:
    similarity = match["similarity"]
    row = {
        "similarity": "unknown, because the text is not published" if similarity is None else f"{similarity:.4g}",
        "version": f"{match['dataset']}@{match['version']}",
        "rejected by": match.get("stage"),
        **{name: match.get(name) for name in _PRINTED},
    }
    return row_as_text(row, whole=False, hashes=False)


def _more(result: dict[str, Any]) -> list[str]:
    """Return lines about the documents that are not listed."""
    published = sum(match["similarity"] is not None for match in result["matches"])
    listed = {"similar": published, "not_published": len(result["matches"]) - published}
    nouns = {"similar": "more similar document", "not_published": "more unpublished candidate"}
    totals = {name: sum(index[name] for index in result["searched"]) for name in nouns}
    counts = {name: totals[name] - listed[name] for name in nouns}
    return [f"… and {plural(count, nouns[name])}" for name, count in counts.items() if count]
