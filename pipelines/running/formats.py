"""Recognize files that a source reads in the wrong format, for the hint of a run that published nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.projects.beginnings import begins_as
from corpusmill.schemas.errors import CorpusmillError

_HEAD_BYTES: Final = 4_096
_ARCHIVE: Final = re.compile(r"\.(?:zip|tgz|tar(?:\.[a-z0-9]+)?)$", re.IGNORECASE)
_BEGINNINGS: Final = (
    ("parquet", re.compile(rb"PAR1"), "PAR1"),
    ("warc", re.compile(rb"WARC/"), "WARC/"),
    ("html", re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE), None),
    ("jsonl", re.compile(rb"\s*[{\[]\s*[\"{\[]"), "{"),
)
"""Format, beginning of its files, and how the hint shows the beginning; None: as it is in the file."""


def wrong_format(inputs: Sequence[SourceInput], loaders: Mapping[str, str]) -> str | None:
    """Return a hint for the first source whose files look like another format than its own; None if none does.

    Looks at the name of the first file of each `load` source, or else at its first bytes.

    Args:
        loaders: Table of loaders, ``name -> "module:Class"``.
    """
    hints = (_hint(source, loaders) for source in inputs if source.manifest.kind == "load" and source.manifest.files)
    return next((hint for hint in hints if hint is not None), None)


def has_text_field(inputs: Sequence[SourceInput], loaders: Mapping[str, str]) -> bool:
    """Return whether the format of one of *inputs* has the field `text_field`."""
    places = {loaders[source.manifest.format] for source in inputs if source.manifest.format in loaders}
    return any("text_field" in resolve(place).model_fields for place in places)


def _hint(source: SourceInput, loaders: Mapping[str, str]) -> str | None:
    file = source.manifest.files[0]
    own = source.manifest.format
    ends = [(suffix, name) for name, place in loaders.items() for suffix in resolve(place).suffixes]
    fitting = [(suffix, name) for suffix, name in ends if file.name.lower().endswith(suffix)]
    suffix = max((suffix for suffix, _ in fitting), key=len, default="")
    names = [name for end, name in fitting if end == suffix]
    store, key = file.stored(source.raw)
    try:
        head = store.read_range(key, 0, min(_HEAD_BYTES, file.size))
    except (OSError, CorpusmillError):
        head = b""
    kinds = [name for name in loaders if begins_as(name, head)]
    if own in kinds:
        return None
    if names and own not in names:
        return f"the files of `{source.name}` end in {suffix}: `format: {kinds[0] if kinds else names[0]}`?"
    if _ARCHIVE.search(file.name) and own not in names:
        return f"{file.name} is an archive: name the files in it, for example `path: {file.name}!/**/*`"
    if kinds:
        return f"{file.name} begins as `format: {kinds[0]}` does"
    for name, beginning, shown in _BEGINNINGS:
        if (match := beginning.match(head)) is not None and name != own and name in loaders:
            text = shown or match[0].decode(errors="replace").strip() + ">"
            return f"{file.name} begins with `{text}`: `format: {name}`?"
    return None
