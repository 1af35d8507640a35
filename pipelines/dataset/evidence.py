"""The provenance of a document: its record, the robots.txt of its site, and its license."""

from __future__ import annotations

import io
from typing import Any, Final
from urllib.parse import urlsplit

from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.storage import Store
from corpusmill.schemas.urls import canonical_url

MAX_RECORDS: Final = 100_000
"""Archive records that are searched for a robots.txt: about five seconds."""
_ROBOTS_HEAD: Final = 64
_READ_BYTES: Final = 1 << 20


def source_evidence(version: Version, workspace: Workspace, row: dict[str, Any]) -> dict[str, Any]:
    """Return the source, record, robots.txt and license of *row* (a document or a row of the ledger)."""
    origin = next((source for source in version.manifest.inputs if source.source == row["source"]), None)
    license_ = row.get("license") or (origin.license if origin else None)
    return {
        "name": row["source"],
        "kind": origin.kind if origin else None,
        "format": origin.format if origin else None,
        "source_id": row["source_id"],
        "record_sha256": row["record_sha256"],
        **record(version, row["id"], row["record_sha256"], row["source_id"]),
        "license": license_,
        "license_source": row.get("license_source") or ("recipe" if license_ else None),
        "robots": _robots_then(version, workspace, row) if origin and origin.kind == "crawl" else None,
    }


def _robots_then(version: Version, workspace: Workspace, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return `robots` with the `respect` of the recipe of *version*, which may differ from that of the crawl."""
    policy = robots(workspace, row["source"], row["url"])
    entries = [fields for source in version.manifest.recipe.get("sources", ()) for fields in source.values()]
    respect = next((fields.get("respect") for fields in entries if fields.get("name") == row["source"]), None)
    return policy | {"respect": respect} if policy is not None and respect is not None else policy


def record(version: Version, document: str, record_sha256: str, source_id: str | None = None) -> dict[str, Any]:
    """Return the file, offset and length (bytes) of a capture; all are None if unknown."""
    for row in version.rows("origin", document).to_pylist():
        if row["record_sha256"] == record_sha256:
            return {
                **{name: row[name] for name in ("offset", "length")},
                "file": _path(version, row["file"], source_id),
            }
    return dict.fromkeys(("file", "offset", "length"))


def _path(version: Version, sha256: str, source_id: str | None) -> str:
    """Return the path that the raw file with the hash *sha256* had when *version* was made, or the hash if unknown.

    If several files have this hash, prefers the file whose name is the document's.
    """
    files = [file for source in version.manifest.inputs for file in source.files if file.sha256 == sha256]
    named = [file for file in files if file.name == source_id]
    return next((file.path for file in (*named, *files)), sha256)


def robots(workspace: Workspace, source: str, url: str | None) -> dict[str, Any] | None:
    """Return the robots policy of the crawl of *source*, and the archived robots.txt of the host of *url*.

    The result is None if the workspace no longer has the crawl.
    """
    manifest = workspace.raw_manifest(source)
    if manifest is None or url is None:
        return None
    raw = workspace.raw(source)
    files = [file.stored(raw) for file in manifest.files]
    return {"respect": manifest.definition.get("respect", "all"), "answer": _robots_record(files, url)}


def _robots_record(files: list[tuple[Store, str]], url: str) -> dict[str, Any] | None:
    """Return the first robots.txt of the host of *url* in *files*. A crawl fetches it before any page."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    host = _place(url)
    seen = 0
    for store, key in files:
        place = store.address(key)
        try:
            with io.BufferedReader(store.reader(key), _READ_BYTES) as file:
                for item in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=False):
                    seen += 1
                    address = item.headers.get("WARC-Target-URI") or ""
                    if urlsplit(address).path == "/robots.txt" and _place(address) == host:
                        return _answer(item, place)
                    if seen >= MAX_RECORDS:
                        return None
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise DamagedFileError(f"not a readable archive: {error}", file=place) from error
    return None


def _place(url: str) -> str:
    """Return scheme, host and port of *url*, which together have one robots.txt."""
    try:
        return "/".join(canonical_url(url).split("/", 3)[:3])
    except ValueError:
        return url


def _answer(item: Any, place: str) -> dict[str, Any]:
    first = item.reader.read(_ROBOTS_HEAD).split(b"\r\n")[0].split()
    return {
        "url": item.headers.get("WARC-Target-URI"),
        "status": int(first[1]) if len(first) > 1 and first[1].isdigit() else None,
        "fetched_at": item.headers.get("WARC-Date"),
        "file": place,
        "offset": item.stream_pos,
    }
