"""The token cache: the tokens of a version's documents, beside the version, for one tokenizer.

Each shard has one Arrow IPC file with the columns `id` (where the shard has it), `tokens` and `count`, one row for each
row of the shard in the same order, and one record batch for each row group. `tokens` ends with the end of text and is
null where the text is; ids below 65,536 are uint16, others uint32. Files are not compressed, so that a process on the
same machine maps them into memory and one on another machine requests one range per row group.

The address is `tokens/<version>/<fingerprint of the tokenizer>/<split>/` in a workspace.
"""

from __future__ import annotations

import functools
import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from corpusmill.schemas.errors import DamagedFileError, SourceError, UsageError
from corpusmill.schemas.storage import Store, StoredFile, open_store
from corpusmill.training.data.selection import Selection, rows_with_content, with_content
from corpusmill.training.data.shards import Corpus, Place, Shard, Window
from corpusmill.training.data.sources import Documents, Encoded

FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
_BULK_TOKENS: Final = 1 << 18
"""Tokens taken at a time: little enough for a flat memory, since every open lane holds a bulk."""
_OPEN_FILES: Final = 64
_MAKE: Final = "make it with `corpusmill tokenize VERSION --tokenizer TOKENIZER`"


class CachedFile(BaseModel):
    """One file of a token cache and the shard that it was made from.

    Attributes:
        rows: Rows of the shard, which are those of the file.
        tokens: For each row group, the number of tokens, ends of text included.
        shard_sha256: SHA-256 of the shard, if the manifest of the version names it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    bytes: int
    sha256: str
    shard: str
    shard_bytes: int
    shard_sha256: str | None
    rows: int
    tokens: tuple[int, ...]


class CacheManifest(BaseModel):
    """`manifest.json` of a token cache; the cache exists when this file does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int
    dataset: str | None
    version: str
    split: str
    text_column: str
    tokenizer: str
    vocabulary_size: int
    files: tuple[CachedFile, ...]

    @property
    def tokens(self) -> int:
        """Tokens of all documents, ends of text included."""
        return sum(sum(file.tokens) for file in self.files)


def cache_key(*, version: str, tokenizer: str, split: str) -> str:
    """Return the address of a token cache in a workspace.

    >>> cache_key(version="0123", tokenizer="89ab", split="train")
    'tokens/0123/89ab/train'
    """
    return posixpath.join("tokens", version, tokenizer, split)


@dataclass(frozen=True)
class TokenCache:
    """An open token cache of one split of a version. It can be sent to another process."""

    store: Store
    manifest: CacheManifest

    @functools.cached_property
    def _files(self) -> dict[str, CachedFile]:
        return {file.shard: file for file in self.manifest.files}

    def tokens(self, window: Window) -> pa.ListArray:
        """Return the tokens of each row of *window*, null for a row without text."""
        file = self._files[posixpath.basename(window.file.key)]
        return window.taken(_batch(StoredFile(self.store, file.path, file.bytes), window.row_group).column("tokens"))

    def total(self, window: Window) -> int:
        """Return the number of tokens of *window*; reads counts only if it is a part of a row group."""
        if window.is_whole:
            return self._files[posixpath.basename(window.file.key)].tokens[window.row_group]
        return int(_Cached(with_content(self.tokens(window), window, None)).lengths().sum())

    def check(self, corpus: Corpus, *, tokenizer: str) -> None:
        """Refuse to stand in for the texts of *corpus* under another tokenizer or version.

        Raises:
            UsageError: The cache belongs to another version, split, text column or tokenizer.
            DamagedFileError: A shard differs from the one that was tokenized, or a file of the cache is missing.
        """
        made = self.manifest
        wanted = {
            "version": corpus.version,
            "split": corpus.split,
            "text_column": corpus.text_column,
            "tokenizer": tokenizer,
        }
        for name, value in wanted.items():
            if getattr(made, name) != value:
                reason = f"the token cache was made with {name} {getattr(made, name)}, not {value}"
                raise UsageError(reason, file=self.store.address(MANIFEST), hint=_MAKE)
        for shard in corpus.shards:
            self._check_shard(shard)

    def _check_shard(self, shard: Shard) -> None:
        file = self._files.get(posixpath.basename(shard.file.key))
        described = None if file is None else (file.rows, len(file.tokens), file.shard_bytes, file.shard_sha256)
        if described != (shard.rows, len(shard.row_groups), shard.file.size, shard.sha256):
            raise DamagedFileError(
                "the shard is not the one that the token cache was made from", file=shard.path, hint=_MAKE
            )


def open_cache(place: Place) -> TokenCache:
    """Open the token cache at *place*: a folder or URL with a `manifest.json`.

    Raises:
        UsageError: There is no token cache.
        SourceError: The manifest cannot be read, or a later corpusmill wrote it.
        UnfinishedError: The store refuses access or does not respond.
    """
    store = open_store(place)  # type: ignore[arg-type]
    address = store.address(MANIFEST)
    try:
        manifest = CacheManifest.model_validate_json(store.read(MANIFEST))
    except FileNotFoundError:
        raise UsageError(f"{store.address()} has no token cache", hint=_MAKE) from None
    except ValidationError as error:
        raise SourceError(f"not a manifest of a token cache: {error.errors()[0]['msg']}", file=address) from None
    if manifest.format_version != FORMAT_VERSION:
        reason = f"the token cache has format {manifest.format_version}, this corpusmill reads {FORMAT_VERSION}"
        raise SourceError(reason, file=address, hint="remove the folder and make it again")
    return TokenCache(store, manifest)


def cache_of(workspace: Place, corpus: Corpus, *, tokenizer: str) -> TokenCache | None:
    """Return the token cache of *corpus* in *workspace* for the tokenizer with the fingerprint *tokenizer*, if any.

    Raises:
        DamagedFileError: The cache was made from other shards.
        SourceError: Its manifest cannot be read.
        UnfinishedError: The store refuses access or does not respond.
    """
    key = cache_key(version=corpus.version, tokenizer=tokenizer, split=corpus.split)
    store = open_store(workspace).below(key)  # type: ignore[arg-type]
    if not store.exists(MANIFEST):
        return None
    cache = open_cache(store)
    cache.check(corpus, tokenizer=tokenizer)
    return cache


@dataclass(frozen=True)
class CacheSource:
    """Gives the tokens in *cache* of the rows that *selection* takes."""

    cache: TokenCache
    selection: Selection | None = None

    def opened(self, window: Window) -> Documents:
        """Read *window* of the corpus that the cache was made from."""
        return self._cached(window)

    def lengths(self, window: Window) -> npt.NDArray[np.int64]:
        """Return the number of tokens of each document of *window*; shape (documents,)."""
        return self._cached(window).lengths()

    def rows(self, window: Window) -> npt.NDArray[np.int64]:
        """Return the row of the file of each document of *window*; shape (documents,)."""
        return rows_with_content(self.cache.tokens(window), window, self.selection)

    def window_tokens(self, windows: tuple[Window, ...]) -> npt.NDArray[np.int64]:
        """Return the number of tokens of each of *windows*; shape (windows,)."""
        if self.selection is None:
            return np.array([self.cache.total(window) for window in windows], dtype=np.int64)
        return np.array([self.lengths(window).sum() for window in windows], dtype=np.int64)

    def _cached(self, window: Window) -> _Cached:
        return _Cached(with_content(self.cache.tokens(window), window, self.selection))


@dataclass(frozen=True)
class _Cached:
    tokens: pa.ListArray

    def __len__(self) -> int:
        return len(self.tokens)

    def lengths(self) -> npt.NDArray[np.int64]:
        lengths: npt.NDArray[np.int64] = np.diff(self.tokens.offsets.to_numpy()).astype(np.int64)
        return lengths

    def encoded(self, order: npt.NDArray[np.int64]) -> Iterator[Encoded]:
        sums = np.cumsum(self.lengths()[order])
        first = 0
        while first < len(order):
            before = int(sums[first - 1]) if first else 0
            stop = max(first + 1, int(np.searchsorted(sums, before + _BULK_TOKENS, side="right")))
            taken = self.tokens.take(pa.array(order[first:stop]))
            yield taken.flatten().to_numpy(), sums[first:stop] - before
            first = stop


def _batch(file: StoredFile, number: int) -> pa.RecordBatch:
    """Return the record batch *number* of *file*.

    Raises:
        DamagedFileError: The file is missing or cannot be read.
        UnfinishedError: The store refuses access or does not respond.
    """
    try:
        return _reader(file).get_batch(number)
    except FileNotFoundError:
        raise DamagedFileError("the file of the token cache is missing", file=file.address, hint=_MAKE) from None
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        reason = f"the file of the token cache cannot be read: {error}"
        raise DamagedFileError(reason, file=file.address, hint=_MAKE) from None


@functools.lru_cache(maxsize=_OPEN_FILES)
def _reader(file: StoredFile) -> pa.RecordBatchFileReader:
    return pa.ipc.open_file(file.open())


def manifest_json(manifest: CacheManifest) -> str:
    """Return *manifest* as it is written."""
    return json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n"
