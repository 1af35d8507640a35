"""Git repositories: the text files of a revision."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, Literal

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.exported import Exporting
from corpusmill.crawlers.loaders.git_export import content_of, exported, lines_of_problem
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.crawlers.readers.code.attributes import Attributes, is_set
from corpusmill.crawlers.readers.code.languages import is_code, known, language_of
from corpusmill.crawlers.readers.code.licenses import Licenses
from corpusmill.crawlers.readers.code.origins import is_generated, is_minified, is_vendored
from corpusmill.crawlers.readers.code.repository import is_git_dir, opened
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError, SourceError
from corpusmill.schemas.storage import is_url

_LFS: Final = b"version https://git-lfs.github.com/spec/"
_BUNDLE: Final = ".bundle"


class Git(Exporting, Streamed):
    """Text files of Git repositories at a revision: a work tree, a bare repository, or a bundle.

    Only commits are read, not files of the work tree. `load` exports the revision into the workspace, from which runs
    read; `refresh` exports it again. With several repositories (a pattern, a list, or a folder of them), ids begin with
    the name of the repository. Generated, minified, vendored and binary files, links, submodules and pointers of LFS
    are counted. `git` is called so that it runs no hook, filter or helper of the repository and fetches nothing.
    """

    depends: ClassVar[tuple[str, ...]] = ("markdown-it-py",)
    version: ClassVar[int] = 2
    about: ClassVar[About] = About(
        license="Of each file: SPDX-License-Identifier, REUSE.toml, .reuse/dep5, or LICENSE in the nearest folder.",
        get="`git clone --bare URL`, or `git bundle create FILE --all`.",
        tried="Repositories made by the tests, and the repository of corpusmill itself.",
    )

    revision: str = Field(
        default="HEAD",
        pattern=r"^[^-\s][^\s\x00]*$",
        max_length=300,
        description="Branch, tag or commit.",
        examples=["v1.0"],
    )
    keep: tuple[Literal["generated", "vendored"], ...] = Field(
        default=(),
        description="Files that are documents all the same: `generated` (and minified), `vendored`.",
        examples=[["vendored"]],
    )

    def exports_of(self, addresses: Sequence[str], *, base: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the files of the exports of all repositories at *addresses*, in the order of their names."""
        places = [place for address in addresses for place in _places(address)]
        places = sorted(dict.fromkeys(places), key=lambda place: (_name(place), place))
        _refuse_repeated(places)
        for place in places:
            prefix = f"{_name(place)}/" if len(places) > 1 else ""
            try:
                with opened(place) as repository:
                    yield from exported(repository, self.revision, prefix=prefix)
            except SourceError as error:
                if len(places) == 1:
                    raise
                yield f"{prefix}problem", lines_of_problem(str(error), prefix=prefix)

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the documents of one file of an export."""
        first = stream.readline()
        try:
            head = json.loads(first)
        except ValueError:
            head = None
        if not isinstance(head, dict) or not ("commit" in head or "kind" in head):
            raise DataError("not an export of a repository", kind="wrong_format")
        if "kind" in head:
            yield Broken(first, head["kind"], head["message"], source_id=head["prefix"].strip("/"))
            return
        counts.update(head["counts"])
        revision = _Revision(head, keep=frozenset(self.keep))
        offset = len(first)
        for row in stream:
            item = revision.item(json.loads(row), offset)
            offset += len(row)
            if isinstance(item, str):
                counts[item] += 1
            else:
                yield item


class _Revision:
    """A revision of a repository, with what its files say about each other."""

    def __init__(self, head: dict[str, Any], *, keep: frozenset[str]) -> None:
        texts = {path: head["blobs"][blob] for path, blob in head["texts"].items()}
        self._head = head
        self._keep = keep
        self._licenses = Licenses(texts)
        self._attributes = Attributes(
            {path: text for path, text in texts.items() if path.rpartition("/")[2] == ".gitattributes"}
        )
        self._date = None if head["date"] is None else datetime.fromisoformat(head["date"])

    def item(self, line: dict[str, Any], offset: int) -> Record | Broken | str:
        """Return the document of a *line* of the export, why it cannot be read, or the kind under which it counts."""
        path: str = line["path"]
        id = f"{self._head['prefix']}{path}"
        data = content_of(line)
        attributes = self._attributes.of(path)
        if line.get("is_binary") or attributes.get("binary") is True:
            return "binary"
        vendored = is_set(attributes.get("linguist-vendored"))
        if "vendored" not in self._keep and (is_vendored(path) if vendored is None else vendored):
            return "vendored"
        if data is None:
            return Broken(line["blob"].encode(), line["kind"], line["message"], source_id=id, offset=offset)
        if data.startswith(_LFS):
            return "lfs_pointers"
        if not data.strip():
            return "empty"
        try:
            text = decode_text(data)
        except DataError as error:
            return Broken(data, error.kind, f"{path}: {error.message}", source_id=id, offset=offset)
        language = _language(attributes.get("linguist-language"), path, text)
        if "generated" not in self._keep and (kind := self._made(path, text, language, attributes)):
            return kind
        return self._record(line, data, text, language, offset)

    def _made(self, path: str, text: str, language: str, attributes: dict[str, Any]) -> str | None:
        generated = is_set(attributes.get("linguist-generated"))
        if generated is not None:
            return "generated" if generated else None
        if is_generated(path, text):
            return "generated"
        return "minified" if is_minified(text, language, is_code=is_code(language)) else None

    def _record(self, line: dict[str, Any], data: bytes, text: str, language: str, offset: int) -> Record | Broken:
        path = line["path"]
        id = f"{self._head['prefix']}{path}"
        title, shown = None, text
        if path.endswith(".ipynb"):
            from corpusmill.crawlers.loaders.notebook import Notebook

            try:
                offer = Notebook().offer(data)
            except DataError as error:
                return Broken(data, error.kind, f"{path}: {error.message}", source_id=id, offset=offset)
            title, shown = offer["title"], offer["text"]
        license = self._licenses.of(path, text)
        return Record(
            native=data,
            text=shown,
            source_id=id,
            title=title,
            license=license and license[0],
            license_source=license and license[1],
            published_at=self._date,
            metadata={
                "blob": line["blob"],
                "commit": self._head["commit"],
                "programming_language": language,
                "repository": self._head["repository"],
            },
            offset=offset,
        )


def _language(stated: str | bool | None, path: str, text: str) -> str:
    return known(stated) if isinstance(stated, str) and stated else language_of(path, text)


def _places(address: str) -> list[str]:
    """Return the repositories at *address*: one, those that a pattern matches, or those in a folder.

    Raises:
        SourceError: *address* is a URL, or there is none.
    """
    if is_url(address):
        hint = "clone it first: `git clone --bare URL`"
        raise SourceError("a repository is read from a local path", file=address, field="path", hint=hint)
    path = Path(address)
    if path.is_dir() and not _is_repository(path):
        inner = [str(each) for each in sorted(path.iterdir()) if _is_repository(each) or each.suffix == _BUNDLE]
        return inner or [address]
    if path.exists() or not glob.has_magic(address):
        return [address]
    found = sorted(glob.glob(address, recursive=True))  # noqa: PTH207, Path.glob takes no absolute pattern
    found = [each for each in found if _is_repository(Path(each)) or Path(each).suffix == _BUNDLE]
    if not found:
        hint = "name a folder with `.git` in it, a bare repository or a bundle"
        raise SourceError(f"no repository matches {address}", field="path", value=address, hint=hint)
    return found


def _is_repository(path: Path) -> bool:
    return path.is_dir() and ((path / ".git").exists() or is_git_dir(path))


def _name(place: str) -> str:
    name = Path(place).resolve().name
    return name.removesuffix(".git").removesuffix(_BUNDLE) or name


def _refuse_repeated(places: list[str]) -> None:
    by_name: dict[str, str] = {}
    for place in places:
        other = by_name.setdefault(_name(place), place)
        if other != place:
            problem = f"two repositories have the name `{_name(place)}`, which is part of ids: {other} and {place}"
            raise SourceError(problem, field="path", value=place, hint="rename one, or use two sources")
