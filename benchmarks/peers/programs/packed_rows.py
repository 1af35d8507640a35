"""Measure `PackedDataset`; `packed_sequences.py` calls this.

python -m benchmarks.peers.programs.packed_rows FOLDER TOKENIZER SEQUENCE_LENGTH
"""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Final

from benchmarks.peers.resuming import measured
from corpusmill.training.data import PackedDataset

_LANES: Final = 8


def main() -> None:
    folder, tokenizer, length = sys.argv[1], sys.argv[2], int(sys.argv[3])
    open_stream = partial(PackedDataset, folder, tokenizer, length, batch_size=_LANES)
    print(json.dumps(measured(open_stream, lambda row: row.numpy().tobytes())))


if __name__ == "__main__":
    main()
