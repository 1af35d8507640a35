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

from corpusmill.pipelines.workspace import now_text
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.manifest import VersionManifest
from corpusmill.schemas.storage import Store, open_store, write_atomically

LOG: Final = "publications.jsonl"
TAGS: Final = "tags.json"


def read_manifest(folder: Store | Path) -> VersionManifest:
    """Read the manifest of the version in *folder*.

    Raises:
        UsageError: There is no version.
        DamagedFileError: The manifest cannot be read.
    """
    store = open_store(folder)
    try:
        return VersionManifest.model_validate_json(store.read("manifest.json"))
    except FileNotFoundError:
        raise UsageError(f"{store.address()} holds no version", hint="`corpusmill versions` lists them") from None
    except ValidationError as error:
        what = error.errors()[0]
        place = ".".join(map(str, what["loc"])) or "the file"
        raise DamagedFileError(
            f"not a version's manifest: {place}: {what['msg']}", file=store.address("manifest.json")
        ) from error


def publications(dataset: Path) -> list[dict[str, Any]]:
    """Give the publications of the data set in the folder *dataset*, oldest first.

    A last line that was torn by a crash is left out; versions that the log does not name (it was lost, or a crash came
    before the line was written) follow by the time of their manifest.
    """
    entries = _logged(dataset)
    entries += _unlogged(dataset, {entry["version"] for entry in entries})
    return [entry for entry in entries if (dataset / entry["version"] / "manifest.json").exists()]


def _logged(dataset: Path) -> list[dict[str, Any]]:
    log = dataset / LOG
    entries = []
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "version" in entry and "at" in entry:
            entries.append(entry)
    return entries


def _unlogged(dataset: Path, known: set[str]) -> list[dict[str, Any]]:
    """Give publications for the versions that are there and not *known*, by the time of their manifest."""
    paths = [path.parent for path in dataset.glob("[0-9a-f]*/manifest.json") if path.parent.name not in known]
    found = sorted(map(read_manifest, paths), key=lambda manifest: (manifest.created_at, manifest.version))
    return [
        {
            "action": "publish",
            "version": manifest.version,
            "parent": manifest.parent,
            "at": manifest.created_at.isoformat(timespec="seconds"),
        }
        for manifest in found
    ]


def adopt(dataset: Path) -> int:
    """Write the versions that the log does not name into it; give their number. The caller holds the lock."""
    logged = {entry["version"] for entry in _logged(dataset)}
    found = _unlogged(dataset, logged)
    for entry in found:
        record(dataset, action=entry["action"], version=entry["version"], parent=entry["parent"], at=entry["at"])
    return len(found)


def current(dataset: Path) -> str | None:
    """Give the current version: that of the last publication or rollback."""
    entries = publications(dataset)
    return str(entries[-1]["version"]) if entries else None


def record(dataset: Path, *, action: str, version: str, parent: str | None, at: str | None = None) -> None:
    """Append a line to the log, on disk before this returns; *at* is the time, by default now."""
    line = json.dumps({"action": action, "version": version, "parent": parent, "at": at or now_text()}, sort_keys=True)
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
    write_atomically(dataset / TAGS, json.dumps(names, indent=1, sort_keys=True) + "\n")
