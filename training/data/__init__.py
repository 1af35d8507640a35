"""Turn the shards of a version into rows of tokens."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from corpusmill.schemas.errors import MissingExtraError

if TYPE_CHECKING:
    from corpusmill.training.data.loader import BatchLoader
    from corpusmill.training.data.packed import PackedDataset, merge_states
    from corpusmill.training.data.shards import Corpus, open_corpus
    from corpusmill.training.data.tokenizer import load_tokenizer, train_tokenizer

__all__ = [
    "BatchLoader",
    "Corpus",
    "PackedDataset",
    "load_tokenizer",
    "merge_states",
    "open_corpus",
    "train_tokenizer",
]

_HOMES: Final = {
    "BatchLoader": "corpusmill.training.data.loader",
    "Corpus": "corpusmill.training.data.shards",
    "PackedDataset": "corpusmill.training.data.packed",
    "load_tokenizer": "corpusmill.training.data.tokenizer",
    "merge_states": "corpusmill.training.data.packed",
    "open_corpus": "corpusmill.training.data.shards",
    "train_tokenizer": "corpusmill.training.data.tokenizer",
}
_EXTRA: Final = frozenset({"numpy", "tokenizers", "torch"})


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name in _EXTRA:
            raise MissingExtraError.of("train", error.name) from error
        raise
