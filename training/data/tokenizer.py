"""Byte-level BPE trained on the texts of a version. Any text can be restored byte by byte.

Sennrich et al. 2016 (doi:10.18653/v1/P16-1162) on bytes, as in GPT-2 (Radford et al. 2019).
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.schemas.storage import write_atomically
from corpusmill.training.data.shards import Corpus, Place, open_corpus

END_OF_TEXT: Final = "<|endoftext|>"
TOKENIZER_FILE: Final = "tokenizer.json"
LINEAGE_FILE: Final = "tokenizer-lineage.json"


def train_tokenizer(
    version: Place | Corpus | Sequence[Corpus],
    *,
    vocabulary_size: int = 8192,
    out: Path | str,
    split: str = "train",
    text_column: str = "text",
) -> dict[str, Any]:
    """Train a tokenizer on the split *split* of *version* and write it to *out*.

    Equal texts give the same bytes of `tokenizer.json`, in any order of documents. Reads the split once; memory grows
    with the number of distinct words.

    Args:
        version: A path, a URL, or one or more open corpora.

    Returns:
        The lineage, also written beside the tokenizer: `path, vocabulary_size, max_vocabulary_size, dataset, version,
        split, documents, bytes, sha256`.

    Raises:
        UsageError: *vocabulary_size* is below 257 (the bytes and the end of text).
        SourceError: The split has no text.
        UnfinishedError: The store refuses access or does not respond.
    """
    if vocabulary_size < 257:
        raise UsageError(
            f"vocabulary_size {vocabulary_size} is below 257", hint="the 256 bytes and the end of text need 257"
        )
    corpora = _corpora(version, split=split, text_column=text_column)
    tally = {"documents": 0, "bytes": 0}
    tokenizer = _untrained()
    tokenizer.train_from_iterator(_counted(corpora, tally), trainer=_trainer(vocabulary_size))
    if not tally["bytes"]:
        reason = f"the split `{corpora[0].split}` of {' and '.join(one.path for one in corpora)} has no text"
        raise SourceError(reason, hint="a tokenizer is trained on text")
    content = tokenizer.to_str(pretty=True)
    lineage = {
        "path": str(Path(out) / TOKENIZER_FILE),
        "vocabulary_size": tokenizer.get_vocab_size(),
        "max_vocabulary_size": vocabulary_size,
        "dataset": "+".join(one.dataset or "files" for one in corpora) if any(one.dataset for one in corpora) else None,
        "version": "+".join(one.version for one in corpora),
        "split": corpora[0].split,
        **tally,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "tokenizers": tokenizers.__version__,
    }
    Path(out).mkdir(parents=True, exist_ok=True)
    write_atomically(Path(out) / LINEAGE_FILE, json.dumps(lineage | {"path": TOKENIZER_FILE}, indent=1) + "\n")
    write_atomically(Path(out) / TOKENIZER_FILE, content)
    return lineage


def load_tokenizer(source: Path | str | Tokenizer) -> Tokenizer:
    """Load the tokenizer at *source*: a `tokenizer.json`, or a folder that contains one.

    The text ``<|endoftext|>`` is tokenized as ordinary text: only the packer writes the special token.

    Raises:
        UsageError: The tokenizer does not exist, cannot be read, or has no token ``<|endoftext|>``.
    """
    tokenizer = source if isinstance(source, Tokenizer) else _read(Path(source))
    end_of_text(tokenizer)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def end_of_text(tokenizer: Tokenizer) -> int:
    """Return the id of the token ``<|endoftext|>``.

    Raises:
        UsageError: *tokenizer* does not have it.
    """
    token = tokenizer.token_to_id(END_OF_TEXT)
    if token is None:
        raise UsageError(f"the tokenizer has no token {END_OF_TEXT}", hint="train one with `corpusmill tokenizer`")
    return int(token)


def fingerprint(tokenizer: Tokenizer) -> str:
    """Return 16 hex characters that identify *tokenizer*."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()[:16]


def _read(path: Path) -> Tokenizer:
    file = path / TOKENIZER_FILE if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"{file} does not exist", hint="train one with `corpusmill tokenizer VERSION`")
    try:
        return Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # noqa: BLE001 - the library raises plain Exception
        raise UsageError(f"not a tokenizer: {error}", file=str(file)) from None


def _untrained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _trainer(vocabulary_size: int) -> Any:
    return trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )


def _corpora(version: Place | Corpus | Sequence[Corpus], *, split: str, text_column: str) -> tuple[Corpus, ...]:
    if isinstance(version, Corpus):
        return (version,)
    if isinstance(version, Sequence) and not isinstance(version, str):
        return tuple(version)
    return (open_corpus(version, split=split, text_column=text_column),)


def _counted(corpora: Sequence[Corpus], tally: dict[str, int]) -> Iterator[list[str]]:
    """Yield the texts of *corpora* in lists, and add documents and UTF-8 bytes to *tally*."""
    batches = itertools.chain.from_iterable(corpus.batches((corpus.text_column,)) for corpus in corpora)
    for batch in batches:
        texts = batch.column(0).drop_null()
        tally["documents"] += len(texts)
        texts = texts.to_pylist()
        tally["bytes"] += sum(len(text.encode()) for text in texts)
        yield texts
