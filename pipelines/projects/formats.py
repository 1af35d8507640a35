"""What is known about each format that `load` reads, for `corpusmill sources`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.extras import missing_from
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.problems import hint_among

_PACKINGS = (".gz", ".bz2", ".xz", ".zst")


def formats(loaders: Mapping[str, str], *, name: str | None = None) -> list[dict[str, Any]]:
    """Return a row for each format, in the order of the table *loaders*, or only for the format *name*.

    A row has ``format, summary, suffixes, compressed, extra, installed, license, get, tried``. `suffixes` are those
    without compression, and `compressed` says whether compressed files are read.

    Raises:
        UsageError: There is no format *name*.
    """
    if name is not None and name not in loaders:
        raise UsageError(f"unknown format `{name}`", hint=hint_among(name, tuple(loaders), noun="formats"))
    return [_row(each, place) for each, place in loaders.items() if name in {None, each}]


def _row(name: str, place: str) -> dict[str, Any]:
    model = resolve(place)
    about = model.about
    return {
        "format": name,
        "summary": (model.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " "),
        "suffixes": [suffix for suffix in model.suffixes if not suffix.endswith(_PACKINGS)],
        "compressed": any(suffix.endswith(_PACKINGS) for suffix in model.suffixes),
        "extra": model.extra,
        "installed": model.extra is None or not missing_from(model.extra),
        "license": about.license if about else None,
        "get": about.get if about else None,
        "tried": about.tried if about else None,
    }


def described(row: Mapping[str, Any]) -> str:
    """Return all about a format, a line for each fact."""
    files = ", ".join(row["suffixes"]) + (" (also .gz, .bz2, .xz, .zst)" if row["compressed"] else "")
    needs = (
        f"the extra `{row['extra']}`{'' if row['installed'] else ', which is not installed'}" if row["extra"] else None
    )
    facts = {"files": files, "needs": needs, "license": row["license"], "get": row["get"], "tried": row["tried"]}
    lines = [f"{name + ':':<9}{value}" for name, value in facts.items() if value]
    return "\n".join([f"{row['format']}: {row['summary']}", *lines])
