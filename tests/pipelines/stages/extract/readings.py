"""Read small pages with an untrained model that keeps everything."""

from __future__ import annotations

from corpusmill.pipelines.stages.extract import _reader
from corpusmill.pipelines.stages.extract.content import Block, blocks_of
from corpusmill.pipelines.stages.extract.model_file import CHANCES

KEEPS_ALL = _reader.Model(names=b"", words=b"", stages=(), chances=b"\xff\xff" * CHANCES)


def read(markup: str | bytes) -> _reader.Reading:
    """Return the reading of *markup*."""
    return _reader.read(markup.encode() if isinstance(markup, str) else markup, KEEPS_ALL)


def blocks(markup: str | bytes) -> list[Block]:
    """Return every block of *markup*, with marks and paths."""
    return blocks_of(read(markup).blocks(only_kept=False, spans=True, paths=True))


def texts(markup: str | bytes) -> list[str]:
    """Return the text of every block of *markup*."""
    return read(markup).texts
