"""Where a document comes from, and by what right: its record, the site's robots.txt, its licence."""

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
"""Records of archives in which a robots.txt is looked for: about five seconds."""
_ROBOTS_HEAD: Final = 64
_READ_BYTES: Final = 1 << 20


def source_evidence(version: Version, workspace: Workspace, row: dict[str, Any]) -> dict[str, Any]:
    """Tell about the source of *row* (a document or a row of the ledger), its record, robots.txt and licence."""
    given = next((source for source in version.manifest.inputs if source.source == row["source"]), None)
    license_ = row.get("license") or (given.license if given else None)
    return {
        "name": row["source"],
        "kind": given.kind if given else None,
        "format": given.format if given else None,
        "source_id": row["source_id"],
        "record_sha256": row["record_sha256"],
        **record(version, row["id"], row["record_sha256"], row["source_id"]),
        "license": license_,
        "license_source": row.get("license_source") or ("recipe" if license_ else None),
        "robots": robots(workspace, row["source"], row["url"]) if given and given.kind == "crawl" else None,
    }


def record(version: Version, document: str, record_sha256: str, source_id: str | None = None) -> dict[str, Any]:
    """Give file, offset and length (bytes) of a capture; all None when it is not known."""
    for row in version.rows("origin", document).to_pylist():
        if row["record_sha256"] == record_sha256:
            return {
                **{name: row[name] for name in ("offset", "length")},
                "file": _path(version, row["file"], source_id),
            }
    return dict.fromkeys(("file", "offset", "length"))


def _path(version: Version, sha256: str, source_id: str | None) -> str:
    """Return where the raw file with the hash *sha256* lay when *version* was made; its hash where that is not known.

    Of several files with one content it is the one whose name is the document's.
    """
    files = [file for source in version.manifest.inputs for file in source.files if file.sha256 == sha256]
    named = [file for file in files if file.name == source_id]
    return next((file.path for file in (*named, *files)), sha256)


def robots(workspace: Workspace, source: str, url: str | None) -> dict[str, Any] | None:
    """Tell how the crawl of *source* was allowed to fetch *url*: the policy, and the archived robots.txt of its host.

    None when the workspace does not hold the crawl any more.
    """
    manifest = workspace.raw_manifest(source)
    if manifest is None or url is None:
        return None
    raw = workspace.raw(source)
    files = [file.stored(raw) for file in manifest.files]
    return {"respect": manifest.definition.get("respect", "all"), "answer": _robots_record(files, url)}


def _robots_record(files: list[tuple[Store, str]], url: str) -> dict[str, Any] | None:
    """Give the first robots.txt of the host of *url* in *files*: a crawl asks for it before it asks for a page."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    wanted = _place(url)
    seen = 0
    for store, key in files:
        place = store.address(key)
        try:
            with io.BufferedReader(store.reader(key), _READ_BYTES) as file:
                for item in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=False):
                    seen += 1
                    there = item.headers.get("WARC-Target-URI") or ""
                    if urlsplit(there).path == "/robots.txt" and _place(there) == wanted:
                        return _answer(item, place)
                    if seen >= MAX_RECORDS:
                        return None
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise DamagedFileError(f"not a readable archive: {error}", file=place) from error
    return None


def _place(url: str) -> str:
    """Give scheme, host and port of *url*: what has one robots.txt."""
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
