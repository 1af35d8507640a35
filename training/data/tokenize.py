"""`tokenize`: make the token cache of a version, file by file, in several processes."""

from __future__ import annotations

import io
import itertools
import multiprocessing
import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.storage import Store, open_store
from corpusmill.training.data.encoding import Encoder
from corpusmill.training.data.reading import reading
from corpusmill.training.data.shards import Corpus, Place, Shard, open_corpus
from corpusmill.training.data.token_cache import (
    FORMAT_VERSION,
    MANIFEST,
    CachedFile,
    CacheManifest,
    cache_key,
    manifest_json,
)
from corpusmill.training.data.tokenizer import fingerprint, load_tokenizer

_ROWS_PER_CALL: Final = 256


def tokenize(
    version: Place | Corpus,
    tokenizer: Path | str | Tokenizer,
    *,
    workspace: Place,
    split: str = "train",
    text_column: str = "text",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write the tokens of the split *split* of *version* to the token cache of the workspace.

    A cache that is there already is left as it is. An interrupted call resumes with the next shard. Memory: the texts
    and tokens of one row group for each worker.

    Args:
        workspace: Folder or URL; the cache is `tokens/<version>/<fingerprint>/<split>` there.
        workers: Processes that encode; 1: this process.
        progress: Called with the number of rows done and the number of all rows.

    Returns:
        `status` (``made`` or ``unchanged``), `path, dataset, version, split, tokenizer, documents, tokens, bytes`.

    Raises:
        UsageError: *version* or *tokenizer* does not exist, or *workers* is below 1.
        DamagedFileError: A shard cannot be read.
        UnfinishedError: The disk is full, or the store refuses access or does not respond.
    """
    if workers < 1:
        raise UsageError(f"workers {workers} is below 1")
    corpus = version if isinstance(version, Corpus) else open_corpus(version, split=split, text_column=text_column)
    loaded = load_tokenizer(tokenizer)
    key = cache_key(version=corpus.version, tokenizer=fingerprint(loaded), split=corpus.split)
    store = open_store(workspace).below(key)  # type: ignore[arg-type]
    unchanged = store.exists(MANIFEST)
    if unchanged:
        manifest = CacheManifest.model_validate_json(store.read(MANIFEST))
    else:
        with _executor(workers) as executor:
            files = tuple(_file(shard, corpus, loaded, store, executor, workers) for shard in _told(corpus, progress))
        manifest = CacheManifest(
            format_version=FORMAT_VERSION,
            dataset=corpus.dataset,
            version=corpus.version,
            split=corpus.split,
            text_column=corpus.text_column,
            tokenizer=fingerprint(loaded),
            vocabulary_size=loaded.get_vocab_size(),
            files=files,
        )
        store.write(MANIFEST, manifest_json(manifest))
        store.remove(*(f"{file.shard}.json" for file in files))
    return {
        "status": "unchanged" if unchanged else "made",
        "path": store.address(),
        "dataset": manifest.dataset,
        "version": manifest.version,
        "split": manifest.split,
        "tokenizer": manifest.tokenizer,
        "documents": sum(file.rows for file in manifest.files),
        "tokens": manifest.tokens,
        "bytes": sum(file.bytes for file in manifest.files),
    }


def _file(
    shard: Shard, corpus: Corpus, tokenizer: Tokenizer, store: Store, executor: Executor | None, workers: int
) -> CachedFile:
    """Write the file of *shard*, or return the description of the one that an interrupted call has written."""
    name = posixpath.basename(shard.file.key)
    key, note = f"{name.removesuffix('.parquet')}.arrow", f"{name}.json"
    if store.exists(note):
        made = CachedFile.model_validate_json(store.read(note))
        if (made.shard_bytes, made.shard_sha256) == (shard.file.size, shard.sha256) and store.exists(key):
            return made
    tokens: list[int] = []
    tasks = ((shard, group, corpus.text_column, tokenizer) for group in range(len(shard.row_groups)))
    batches = _in_order(executor, tasks, workers=workers)
    written = store.write_hashed(_ipc(_schema(shard, tokenizer), batches, tokens), key)
    file = CachedFile(
        path=key,
        bytes=written.size,
        sha256=written.sha256,
        shard=name,
        shard_bytes=shard.file.size,
        shard_sha256=shard.sha256,
        rows=shard.rows,
        tokens=tuple(tokens),
    )
    store.write(note, file.model_dump_json())
    return file


_Task = tuple[Shard, int, str, Tokenizer]


def _encoded(task: _Task) -> pa.RecordBatch:
    """Return the rows of a row group with their tokens."""
    shard, group, text_column, tokenizer = task
    encoder, schema = Encoder(tokenizer), _schema(shard, tokenizer)
    with reading(shard.file) as opened:
        columns = [name for name in ("id", text_column) if name in opened.schema_arrow.names]
        table = opened.read_row_group(group, columns=columns, use_threads=False)
    texts = table.column(text_column)
    kind = schema.field("tokens").type
    parts = [
        _lists(encoder, texts.slice(first, _ROWS_PER_CALL).to_pylist(), kind)
        for first in range(0, len(texts), _ROWS_PER_CALL)
    ]
    tokens = pa.concat_arrays(parts) if parts else pa.array([], kind)
    counts = pc.list_value_length(tokens)
    ids = [table.column("id").cast(pa.string()).combine_chunks()] if "id" in schema.names else []
    return pa.record_batch([*ids, tokens, counts], schema=schema)


def _lists(encoder: Encoder, texts: list[str | None], kind: pa.ListType) -> pa.ListArray:
    """Return the tokens of *texts*; those of a missing text are null."""
    flat, ends = encoder.encode([text for text in texts if text is not None])
    present = np.array([text is not None for text in texts])
    stops = np.zeros(len(texts) + 1, dtype=np.int32)
    stops[1:] = np.concatenate([[0], ends])[np.cumsum(present)]
    offsets = pa.array(stops, mask=np.append(~present, False)) if not present.all() else pa.array(stops)
    return pa.ListArray.from_arrays(offsets, pa.array(flat.astype(kind.value_type.to_pandas_dtype())))


def _schema(shard: Shard, tokenizer: Tokenizer) -> pa.Schema:
    small = tokenizer.get_vocab_size() <= 1 << 16
    fields = [("tokens", pa.list_(pa.uint16() if small else pa.uint32())), ("count", pa.int32())]
    with reading(shard.file) as opened:
        named = "id" in opened.schema_arrow.names
    return pa.schema([("id", pa.string())] * named + fields)


def _ipc(schema: pa.Schema, batches: Iterable[pa.RecordBatch], tokens: list[int]) -> Iterator[bytes]:
    """Yield the bytes of an IPC file of *batches*, and append the number of tokens of each to *tokens*."""
    sink = _Sink()
    with pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            tokens.append(pc.sum(batch.column("count")).as_py() or 0)
            yield from sink.taken()
    yield from sink.taken()


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        self._position += len(self._chunks[-1])
        return len(self._chunks[-1])

    def taken(self) -> list[bytes]:
        """Return the bytes written since the last call."""
        chunks, self._chunks = self._chunks, []
        return chunks


def _in_order(executor: Executor | None, tasks: Iterable[_Task], *, workers: int) -> Iterator[pa.RecordBatch]:
    """Yield the result of each task, in the order of tasks; at most two tasks for each worker are under way."""
    if executor is None:
        yield from map(_encoded, tasks)
        return
    tasks = iter(tasks)
    running: deque[Future[pa.RecordBatch]] = deque()
    try:
        running.extend(executor.submit(_encoded, task) for task in itertools.islice(tasks, 2 * workers))
        while running:
            yield running.popleft().result()
            running.extend(executor.submit(_encoded, task) for task in itertools.islice(tasks, 1))
    finally:
        for future in running:
            future.cancel()


def _executor(workers: int) -> AbstractContextManager[Executor | None]:
    if workers == 1:
        return nullcontext()
    # Spawned, because forking a process with threads (Arrow, the tokenizer) can hang.
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def _told(corpus: Corpus, progress: Callable[[int, int], None] | None) -> Iterator[Shard]:
    done = 0
    for shard in corpus.shards:
        yield shard
        done += shard.rows
        if progress is not None:
            progress(done, corpus.rows)
