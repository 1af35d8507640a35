"""Expand English contractions."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import pyarrow as pa

from corpusmill.pipelines.stages.normalize.operations import Operation

CONTRACTIONS: Final = "contractions_en.txt"
_CONTRACTED: Final = re.compile(r"(?<![A-Za-z])[A-Za-z]++(?:['’][A-Za-z]++)+(?!['’]?\w)")


def contractions() -> Operation:
    """Expand English contractions, such as ``don't`` to ``do not``. Words that are not in the table stay unchanged."""
    return Operation(r"[A-Za-z]['’][A-Za-z]", _expanded, ascii=True)


def _expanded(texts: pa.StringArray) -> pa.StringArray:
    return pa.array([_CONTRACTED.sub(_expand, text) for text in texts.to_pylist()], pa.string())


def _expand(match: re.Match[str]) -> str:
    contraction = match[0]
    full = _table().get(contraction.replace("’", "'").lower())
    if full is None:
        return contraction
    if contraction.isupper() and sum(map(str.isalpha, contraction)) > 2:
        return full.upper()
    return full[0].upper() + full[1:] if contraction[0].isupper() or full.startswith("i ") else full


@cache
def _table() -> dict[str, str]:
    lines = (Path(__file__).parent / CONTRACTIONS).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("\t") for line in lines if line and not line.startswith("#"))
    return {contraction: full for contraction, _, full in pairs}
