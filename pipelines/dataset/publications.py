"""The log of a data set's publications. A version can occur more than once.

``versions/<dataset>/publications.jsonl`` has one line for each publication or rollback; the last line names the current
version. ``tags.json`` maps tags to versions. Both files move with the folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from corpusmill.pipelines.workspace import now_text
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.manifest import VersionManifest
from corpusmill.schemas.storage import Store, open_store

LOG: Final = "publications.jsonl"
TAGS: Final = "tags.json"
_HEX: Final = "0123456789abcdef"


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
        raise UsageError(
            f"{store.address()} holds no version", hint="list versions with `corpusmill versions`"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DamagedFileError(
            f"not a version's manifest: {place}: {first['msg']}", file=store.address("manifest.json")
        ) from error


def publications(dataset: Store | Path) -> list[dict[str, Any]]:
    """Return the publications of the data set in the folder or store *dataset*, oldest first.

    An incomplete last line, left by a crash, is skipped. Versions that are missing in the log (it was lost, or a crash
    came first) follow, ordered by the time in their manifest.
    """
    store = open_store(dataset)
    entries = _logged(store)
    known = set(version_ids(store))
    entries += _unlogged(store, known - {entry["version"] for entry in entries})
    return [entry for entry in entries if entry["version"] in known]


def version_ids(dataset: Store | Path) -> list[str]:
    """Return the sorted ids of the versions in the folder or store of a data set."""
    store = open_store(dataset)
    return [name for name in store.folders() if name[0] in _HEX and store.exists(f"{name}/manifest.json")]


def _logged(dataset: Store) -> list[dict[str, Any]]:
    try:
        log = dataset.read(LOG).decode(errors="replace")
    except FileNotFoundError:
        return []
    entries = []
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "version" in entry and "at" in entry:
            entries.append(entry)
    return entries


def _unlogged(dataset: Store, versions: set[str]) -> list[dict[str, Any]]:
    """Return log entries for *versions*, ordered by the time in their manifest."""
    manifests = (read_manifest(dataset.below(version)) for version in versions)
    ordered = sorted(manifests, key=lambda manifest: (manifest.created_at, manifest.version))
    return [
        {
            "action": "publish",
            "version": manifest.version,
            "parent": manifest.parent,
            "at": manifest.created_at.isoformat(timespec="seconds"),
        }
        for manifest in ordered
    ]


def adopt(dataset: Store | Path) -> int:
    """Append the versions that are missing in the log; return their number. The caller holds the lock."""
    store = open_store(dataset)
    logged = {entry["version"] for entry in _logged(store)}
    missing = _unlogged(store, {*version_ids(store)} - logged)
    for entry in missing:
        record(dataset, action=entry["action"], version=entry["version"], parent=entry["parent"], at=entry["at"])
    return len(missing)


def current(dataset: Store | Path) -> str | None:
    """Return the id of the current version: that of the last publication or rollback."""
    entries = publications(dataset)
    return str(entries[-1]["version"]) if entries else None


def record(dataset: Store | Path, *, action: str, version: str, parent: str | None, at: str | None = None) -> None:
    """Append a line to the log and flush it to disk; *at* is the time, by default now."""
    line = json.dumps({"action": action, "version": version, "parent": parent, "at": at or now_text()}, sort_keys=True)
    open_store(dataset).append(LOG, line)


def tags(dataset: Store | Path) -> dict[str, str]:
    """Return the tags of the data set as a map from name to version."""
    store = open_store(dataset)
    try:
        return dict(json.loads(store.read(TAGS)))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise DamagedFileError(f"not a list of tags: {error}", file=store.address(TAGS)) from error


def write_tags(dataset: Store | Path, names: dict[str, str]) -> None:
    """Replace the tags atomically."""
    open_store(dataset).write(TAGS, json.dumps(names, indent=1, sort_keys=True) + "\n")
