"""The history of a data set: a log of publications beside its versions, in which a version may stand twice.

``versions/<dataset>/publications.jsonl`` has one line for each publication or rollback; the last line names the current
version. ``tags.json`` names versions. Both are plain files: they move with the folder.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pipelines.workspace import now_text
from schemas.errors import DamagedFileError, UsageError
from schemas.manifest import VersionManifest

LOG: Final = "publications.jsonl"
TAGS: Final = "tags.json"


def read_manifest(folder: Path) -> VersionManifest:
    """Read the manifest of the version in *folder*.

    Raises:
        UsageError: There is no version.
        DamagedFileError: The manifest cannot be read.
    """
    path = folder / "manifest.json"
    try:
        return VersionManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no version", hint="`corpusmill versions` lists them") from None
    except ValidationError as error:
        raise DamagedFileError(f"not a version's manifest: {error}", file=str(path)) from error


def publications(dataset: Path) -> list[dict[str, Any]]:
    """Give the publications of the data set in the folder *dataset*, oldest first.

    A last line that was torn by a crash is left out; versions that the log does not name (it was lost, or a crash came
    before the line was written) follow by the time of their manifest.
    """
    entries = []
    log = dataset / LOG
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    known = {entry["version"] for entry in entries}
    found = [read_manifest(path.parent) for path in dataset.glob("[0-9a-f]*/manifest.json")]
    adopted = sorted((m for m in found if m.version not in known), key=lambda m: (m.created_at, m.version))
    entries += [
        {
            "action": "publish",
            "version": m.version,
            "parent": m.parent,
            "at": m.created_at.isoformat(timespec="seconds"),
        }
        for m in adopted
    ]
    return [entry for entry in entries if (dataset / entry["version"] / "manifest.json").exists()]


def current(dataset: Path) -> str | None:
    """Give the current version: that of the last publication or rollback."""
    entries = publications(dataset)
    return str(entries[-1]["version"]) if entries else None


def record(dataset: Path, *, action: str, version: str, parent: str | None) -> None:
    """Append a line to the log, on disk before this returns."""
    line = json.dumps({"action": action, "version": version, "parent": parent, "at": now_text()}, sort_keys=True)
    log = dataset / LOG
    torn = log.exists() and not log.read_bytes().endswith(b"\n") and log.stat().st_size > 0
    with log.open("a") as file:
        file.write(("\n" if torn else "") + line + "\n")
        file.flush()
        os.fsync(file.fileno())


def tags(dataset: Path) -> dict[str, str]:
    """Give the tags of the data set: name to version."""
    path = dataset / TAGS
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise DamagedFileError(f"not a list of tags: {error}", file=str(path)) from error


def write_tags(dataset: Path, names: dict[str, str]) -> None:
    """Replace the tags, by rename."""
    temporary = dataset / f"{TAGS}.{os.getpid()}.tmp"
    temporary.write_text(json.dumps(names, indent=1, sort_keys=True) + "\n")
    temporary.replace(dataset / TAGS)
