"""Register the files of a `load` source with their hashes, so that a run detects changes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from pydantic import ValidationError

from corpusmill.crawlers.archives.members import version_of
from corpusmill.crawlers.inputs import Input, matching_inputs
from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.exported import Exporting
from corpusmill.crawlers.loaders.streams import file_size, open_file, pieces, unreadable
from corpusmill.crawlers.patterns import expanded, links_skipped_in, skipped_files
from corpusmill.crawlers.registry import loader_table
from corpusmill.schemas.archive_paths import is_member
from corpusmill.schemas.errors import DataError, RecipeError, SourceError
from corpusmill.schemas.raw import PASSED_OVER, SKIPPED_LINKS, RawFile, RawManifest
from corpusmill.schemas.recipe import LoadSource, Source
from corpusmill.schemas.storage import Store, is_url, open_store

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of bytes read, and their total."""

MANIFEST: Final = "manifest.json"
COPIES: Final = "files"
_PIECE_BYTES: Final = 1 << 20


def load(
    source: LoadSource, raw: Store | Path, *, base: Path, copy: bool = False, progress: Progress | None = None
) -> RawManifest:
    """Write the manifest of *source* into the store or folder *raw*, and return it. Reads every file once.

    Args:
        base: The recipe's folder, to which paths are relative.
        copy: Copy each file to *raw*, named by its hash; otherwise, files stay in place.

    Raises:
        RecipeError: The format is unknown, or does not have a field.
        SourceError: No file matches, a file cannot be read, or the loader refuses it.
        UnfinishedError: *raw* cannot be written.
    """
    store = open_store(raw)
    loader = loader_of(source)
    if isinstance(loader, Exporting) and loader.is_exporting:
        manifest = _manifest(source, _exports(source, loader, store, base=base), {})
        store.write(MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        return manifest
    matches = _matches(source, loader, base=base)
    matches = [_checked(match, loader) for match in matches]
    if copy:
        _refuse_companions(matches, loader)
    files = [_registered(match, store if copy else None) for match in _with_progress(matches, progress)]
    if copy:
        marks = store.marks()
        files = [file.model_copy(update={"mark": marks.get(file.path, file.mark)}) for file in files]
    manifest = _manifest(source, files, _counts(source, loader, files, matches, base=base))
    store.write(MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    return manifest


def preview(source: LoadSource, *, base: Path) -> RawManifest:
    """Return what `load` would register, without reading whole files: the hashes are zeros.

    Raises:
        RecipeError, SourceError: As `load`.
    """
    loader = loader_of(source)
    if isinstance(loader, Exporting) and loader.is_exporting:
        return _manifest(source, (), {})  # the records are known when they have been exported
    matches = _matches(source, loader, base=base)
    files = [
        _refused(match)
        if match.rule is not None
        else RawFile(path=match.address, name=match.name, size=_size(match.address), sha256="0" * 64)
        for match in matches
    ]
    return _manifest(source, files, {})


def _exports(source: LoadSource, loader: Exporting, store: Store, *, base: Path) -> list[RawFile]:
    """Copy the records that *loader* exports to files named by their hash."""
    files = []
    places = [expanded(address) for address in source.paths]
    addresses = [place if is_url(place) else str(base / Path(place).expanduser()) for place in places]
    for name, pieces_of in loader.exports_of(addresses, base=base):
        copy = store.write_hashed(pieces_of, lambda sha256: f"{COPIES}/{sha256}{loader.export_suffix}")
        path = store.path(copy.key)
        modified_ns = None if path is None else path.stat().st_mtime_ns
        files.append(RawFile(path=copy.key, name=name, size=copy.size, sha256=copy.sha256, modified_ns=modified_ns))
    marks = store.marks()
    return [file.model_copy(update={"mark": marks.get(file.path)}) for file in files]


def _manifest(source: LoadSource, files: Iterable[RawFile], counts: dict[str, int]) -> RawManifest:
    return RawManifest(
        source=source.name,
        kind="load",
        format=source.format,
        finished=True,
        created_at=datetime.now(UTC),
        definition=source.model_dump(mode="json"),
        files=tuple(files),
        counts=counts,
    )


def _counts(
    source: LoadSource, loader: Loader, files: list[RawFile], matches: list[Input], *, base: Path
) -> dict[str, int]:
    """Return the number of records, if known for all files, and of files and links in folders that are left out."""
    records = [
        1 if file.rule is not None else loader.records(match.address)
        for file, match in zip(files, matches, strict=True)
    ]
    known = [number for number in records if number is not None]
    others = sum(
        (skipped_files(pattern, base=base, suffixes=loader.suffixes) for pattern in _local(source)), Counter[str]()
    )
    counts = {"records": sum(known)} if len(known) == len(records) else {}
    if links := sum(links_skipped_in(pattern, base=base) for pattern in _local(source)):
        counts[SKIPPED_LINKS] = links
    return counts | {f"{PASSED_OVER}{kind}": number for kind, number in sorted(others.items())}


def loader_of(source: Source) -> Loader:
    """Return the loader of *source*, with the parameters in the recipe.

    Raises:
        RecipeError: The format is unknown, does not have a field, or refuses its value.
    """
    place = loader_table().get(source.format)
    if place is None:
        raise _unknown_format(source.format)
    module, _, name = place.partition(":")
    kind: type[Loader] = getattr(import_module(module), name)
    params = source.loader_params if isinstance(source, LoadSource) else {}
    if unknown := sorted(params.keys() - kind.model_fields.keys()):
        raise _unknown_field(source.format, unknown[0], params[unknown[0]], list(kind.model_fields))
    try:
        return kind.model_validate_json(json.dumps(params), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        hint = getattr(first.get("ctx", {}).get("error"), "hint", None)
        raise RecipeError(f"field `{field}`: {first['msg']}", field=field, value=first["input"], hint=hint) from None


def changed_files(manifest: RawManifest, *, raw: Store | Path | None = None) -> list[RawFile]:
    """Return the files of *manifest* that are missing or changed.

    A file with the same size and time of modification counts as unchanged and is not read. Keys of *raw* (copies,
    archives of a crawl) are relative paths. If *raw* is on another machine, ETags are compared instead of times.
    """
    store = open_store(Path() if raw is None else raw)
    folder = store.path()
    if folder is not None:
        return [
            file
            for file in manifest.files
            if _is_changed(file, file.path if file.is_in_place else str(folder / file.path))
        ]
    sizes, marks = {entry.key: entry.size for entry in store.files()}, store.marks()

    def is_changed(file: RawFile) -> bool:
        if file.is_in_place:
            return _is_changed(file, file.path)
        if sizes.get(file.path) != file.size:
            return True
        return file.mark != marks.get(file.path) and store.sha256(file.path) != file.sha256

    return [file for file in manifest.files if is_changed(file)]


def new_files(source: LoadSource, manifest: RawManifest, *, base: Path) -> list[str]:
    """Return the names of the files that match *source* now and are not in *manifest*.

    Raises:
        RecipeError, SourceError: As `load`.
    """
    known = {file.name for file in manifest.files}
    loader = loader_of(source)
    if isinstance(loader, Exporting) and loader.is_exporting:
        return []
    return [match.name for match in _matches(source, loader, base=base) if match.name not in known]


def _unknown_format(name: str) -> RecipeError:
    known = loader_table()
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"formats: {', '.join(known)}"
    return RecipeError(f"unknown format {name!r}", field="format", value=name, hint=hint)


def _unknown_field(form: str, field: str, value: object, known: list[str]) -> RecipeError:
    close = get_close_matches(field, known, n=1)
    usual = ["name", "format", "path", "license", *known, "refresh"]
    hint = f"did you mean `{close[0]}`?" if close else f"fields of {form}: {', '.join(usual)}"
    return RecipeError(f"format {form} has no field `{field}`", field=field, value=value, hint=hint)


def _local(source: LoadSource) -> list[str]:
    """Return the patterns of *source* that may name a folder of this machine."""
    return [pattern for pattern in source.paths if not is_url(pattern) and not is_member(pattern)]


def _matches(source: LoadSource, loader: Loader, *, base: Path) -> list[Input]:
    """Return the distinct files that match *source*, sorted by name and path."""
    by_path: dict[tuple[str, str | None], Input] = {}
    for pattern in source.paths:
        for match in matching_inputs(pattern, base=base, suffixes=loader.suffixes):
            by_path.setdefault((match.address, None if match.rule is None else match.name), match)
    matches = sorted(by_path.values(), key=lambda match: (os.fsencode(match.name), os.fsencode(match.address)))
    for match in matches:
        if os.fsencode(match.name).decode(errors="replace") != match.name:
            raise SourceError("the file's name is not UTF-8", file=repr(match.address), hint="rename the file")
    if loader.reads_name:
        _refuse_repeated([match for match in matches if match.rule is None], one_document=loader.uses_name)
    return matches


def _refuse_repeated(matches: list[Input], *, one_document: bool) -> None:
    problem = "would become one document" if one_document else "have the same name, which is part of ids"
    for one, other in pairwise(matches):
        if one.name == other.name:
            raise RecipeError(
                f"two files {problem}, {one.name}: {one.address} and {other.address}",
                field="path",
                value=one.name,
                hint=f"use one pattern from {_common_folder(one, other)}, or two sources",
            )


def _common_folder(one: Input, other: Input) -> str:
    if is_url(one.address) or is_url(other.address):
        return f"{one.address.partition('://')[0]}://…"
    return os.path.commonpath([one.address, other.address])


def _with_progress(matches: list[Input], progress: Progress | None) -> Iterator[Input]:
    sizes = [0 if match.rule is not None else _size(match.address) for match in matches]
    read, total = 0, sum(sizes)
    for match, size in zip(matches, sizes, strict=True):
        yield match
        read += size
        if progress is not None:
            progress(read, total)


def _checked(match: Input, loader: Loader) -> Input:
    """Return *match* after the loader has checked it; a member that cannot be read gets a rule."""
    try:
        if match.rule is None:
            loader.check(match.address)
    except DataError as error:
        if not is_member(match.address):
            raise
        return replace(match, rule=error.rule, message=error.message)
    return match


def _refuse_companions(matches: list[Input], loader: Loader) -> None:
    """Check that no file is read together with others, which would not be found beside its copy.

    Raises:
        SourceError: One is, so that its records would be others, such as notes with the names of patients.
    """
    for match in matches:
        if match.rule is None and (companions := loader.companions(match.address)):
            problem = f"is read together with {Path(companions[0]).name}, which is not copied"
            hint = "load this source without copying, and keep its folder as it is"
            raise SourceError(problem, file=match.address, hint=hint)


def _registered(match: Input, store: Store | None) -> RawFile:
    """Return the entry of a file in the manifest; with *store*, the file is copied there.

    A member of an archive that cannot be read to its end gets the rule and the message of the error.
    """
    if match.rule is not None:
        return _refused(match)
    try:
        return _in_place(match) if store is None else _copied(match, store)
    except DataError as error:
        if not is_member(match.address):
            raise
        return _refused(replace(match, rule=error.rule, message=error.message))


def _refused(match: Input) -> RawFile:
    """Return the entry of a file that cannot be read. Its hash is that of the reason."""
    digest = hashlib.sha256(f"{match.name}\0{match.rule}\0{match.message}".encode()).hexdigest()
    mark = version_of(match.address) if is_member(match.address) else None
    return RawFile(
        path=match.address, name=match.name, size=0, sha256=digest, mark=mark, rule=match.rule, message=match.message
    )


def _in_place(match: Input) -> RawFile:
    modified_ns, mark = _version(match.address)
    size = _size(match.address)
    digest = _sha256(match.address)
    return RawFile(path=match.address, name=match.name, size=size, sha256=digest, modified_ns=modified_ns, mark=mark)


def _version(address: str) -> tuple[int | None, str | None]:
    """Return the time of modification of a local file, or the mark of an object or of an archive."""
    if is_member(address) or is_url(address):
        return None, version_of(address)
    return _status(Path(address)).st_mtime_ns, None


def _copied(match: Input, store: Store) -> RawFile:
    """Copy a file to a key with its hash; the manifest lists the copy."""
    suffix = "".join(PurePosixPath(match.address).suffixes[-2:])
    copy = store.write_hashed(_pieces(match.address), lambda sha256: f"{COPIES}/{sha256}{suffix}")
    path = store.path(copy.key)
    modified_ns = None if path is None else path.stat().st_mtime_ns
    return RawFile(path=copy.key, name=match.name, size=copy.size, sha256=copy.sha256, modified_ns=modified_ns)


def _is_changed(file: RawFile, address: str) -> bool:
    try:
        if file.rule is not None:
            return file.mark is not None and version_of(address) != file.mark
        modified_ns, mark = _version(address)
        if mark is not None and mark == file.mark:
            return False
        if _size(address) != file.size:
            return True
        if mark is None and modified_ns == file.modified_ns:
            return False
        return _sha256(address) != file.sha256
    except (OSError, SourceError, DataError):
        return True


def _sha256(address: str) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(address):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(address: str) -> Iterator[bytes]:
    if is_member(address) or is_url(address):
        with open_file(address) as stream:
            yield from pieces(stream)
        return
    try:
        with Path(address).open("rb", buffering=0) as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        raise unreadable(address, error) from error


def _size(address: str) -> int:
    """Return the size of a file, an object or a member in bytes."""
    if is_member(address) or is_url(address):
        return file_size(address)
    return _status(Path(address)).st_size


def _status(path: Path) -> os.stat_result:
    """Return the status of a regular file; raise for a pipe or device, because reading it may never end."""
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(str(path), error) from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError("not a regular file", file=str(path), hint="use the path of a file")
    return status
