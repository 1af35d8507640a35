"""Measure Hugging Face `datasets` (streaming), in an environment that has it; `packed_sequences.py` calls this.

python -m benchmarks.peers.programs.datasets_rows FOLDER TOKENIZER SEQUENCE_LENGTH
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import datasets
import numpy as np
from tokenizers import Tokenizer

from benchmarks.peers.resuming import measured

_CALL_DOCUMENTS: Final = 100
_BUFFER_ROWS: Final = 1_000
"""The default of `shuffle`."""
_SEED: Final = 0


def main() -> None:
    folder, tokenizer, length = Path(sys.argv[1]), Tokenizer.from_file(sys.argv[2]), int(sys.argv[3])
    pack = partial(packed, tokenizer=tokenizer, length=length)
    files = sorted(map(str, folder.glob("*.parquet")))

    def open_stream() -> Any:
        stream = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True, columns=["text"])
        rows = stream.map(pack, batched=True, batch_size=_CALL_DOCUMENTS, remove_columns=["text"])
        return rows.shuffle(seed=_SEED, buffer_size=_BUFFER_ROWS)

    print(json.dumps(measured(open_stream, lambda row: row["tokens"].tobytes())))


def packed(batch: dict[str, list[str]], *, tokenizer: Tokenizer, length: int) -> dict[str, list[Any]]:
    """Return rows of *length* tokens from the documents of *batch*, each followed by the token that ends a text.

    What is left over of the documents' tokens is dropped.
    """
    end = tokenizer.token_to_id("<|endoftext|>")
    encodings = tokenizer.encode_batch_fast(batch["text"], add_special_tokens=False)
    tokens = np.concatenate([np.array([*encoding.ids, end], dtype=np.int64) for encoding in encodings])
    rows = len(tokens) // length
    return {"tokens": list(tokens[: rows * length].reshape(rows, length))}


if __name__ == "__main__":
    main()
