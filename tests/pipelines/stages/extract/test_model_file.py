"""The model's file: written and read back, and refused when it is not whole."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from corpusmill.pipelines.stages.extract import _reader, model_file, stage
from corpusmill.pipelines.stages.extract.model_file import CHANCES, Learned, packed, unpacked
from corpusmill.schemas.errors import DamagedFileError

SMALL = Learned(
    names=b"",
    words=b"",
    stages=((1, 5, b"\0\0\0\0", b"\0\0\0\0", b"\1\0\0\0\2\0\0\0"),),
    chances=bytes(2 * CHANCES),
    about={"pages": 3},
)


def test_a_model_is_read_as_it_was_written() -> None:
    """Nothing of it is in code."""
    assert unpacked(packed(SMALL)) == SMALL


def test_the_shipped_model_says_what_it_learned_from() -> None:
    """Whoever answers for a corpus wants to know."""
    about = unpacked(Path(model_file.__file__).with_name(model_file.FILE).read_bytes()).about

    assert about["pages"] > 1_000
    assert not {"cleaneval", "cleanportaleval", "l3s-gn1"} & set(about["sources"])


@pytest.mark.parametrize("place", [30, 200, -40, -1])
def test_a_damaged_model_is_refused_before_any_page_is_read(
    place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each page would be set aside as if it were broken, and an empty corpus published."""
    data = bytearray(packed(SMALL))
    data[place] ^= 0xFF
    (tmp_path / model_file.FILE).write_bytes(data)
    monkeypatch.setattr(model_file, "files", lambda _: tmp_path)
    model_file.shipped.cache_clear()

    try:
        with pytest.raises(DamagedFileError, match=r"main_text\.model"):
            stage.Extract().build()
    finally:
        model_file.shipped.cache_clear()


@pytest.mark.parametrize(
    "content",
    [
        b"[1]\n",
        b'{"format": 1}\n',
        json.dumps({"format": 1, "features": list(_reader.FEATURES), "sizes": ["a"], "stages": []}).encode() + b"\nxx",
        packed(SMALL)[:-32].replace(b"[[1,5]]", b"[[1000000000000,5]]"),
    ],
)
def test_a_model_that_is_whole_but_none_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash is right; what it says is not."""
    (tmp_path / model_file.FILE).write_bytes(content + sha256(content).digest())
    monkeypatch.setattr(model_file, "files", lambda _: tmp_path)
    model_file.shipped.cache_clear()

    try:
        with pytest.raises(DamagedFileError):
            model_file.shipped()
    finally:
        model_file.shipped.cache_clear()


def test_a_reader_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that was updated without building would give the old texts under the new address."""
    assert stage._READER == _reader.VERSION
    monkeypatch.setattr(stage, "_READER", stage._READER + 1)

    with pytest.raises(DamagedFileError, match="of version"):
        stage.Extract().build()
