"""The columns of the reader: each name has its meaning, and each reading has its own columns."""

from __future__ import annotations

import numpy as np
import pytest

from corpusmill.pipelines.stages.extract import _reader
from corpusmill.pipelines.stages.extract.model_file import CHANCES
from tests.pipelines.stages.extract.readings import read

PAGE = """<body><div id=outer><div id=inner><p>Alpha, beta, gamma.</p><p>Delta.</p></div>
<p><a href=x>Epsilon</a></p></div><p>Zeta.</p></body>"""


def columns(reading: _reader.Reading) -> dict[str, list[float]]:
    """Return the columns of *reading* by name, with one value per block."""
    table = np.frombuffer(reading.columns, "<f4").reshape(len(_reader.FEATURES), -1)
    return dict(zip(_reader.FEATURES, table.tolist(), strict=True))


def test_the_columns_of_a_container_lie_under_their_names() -> None:
    """A model is trained on names, so swapped columns would silently make it useless."""
    found = columns(read(PAGE))
    first, second, third, last = (len(text) for text in ("Alpha, beta, gamma.", "Delta.", "Epsilon", "Zeta."))
    outer = first + second + third
    expected = {
        "box1_chars": first + second,
        "box1_blocks": 2,
        "box1_links": 0,
        "box1_mean_chars": (first + second) / 2,
        "box1_commas": 200 / (first + second),
        "box1_share": (first + second) / (outer + last),
        "box1_rank": 0,
        "box2_chars": outer,
        "box2_blocks": 3,
        "box2_links": third / outer,
        "box3_chars": outer + last,
        "box3_blocks": 4,
        "box4_chars": -1,
        "box5_rank": -1,
    }

    assert {name: found[name][0] for name in expected} == pytest.approx(expected)
    assert [found["box1_rank"][block] for block in (0, 1)] == [0, 0.5]


def test_the_columns_of_the_second_stage_lie_under_their_names() -> None:
    """With equal chances for all blocks, a container's share of chance equals its share of text."""
    reading = read(PAGE)

    reading.rescore(np.zeros(4, "<i4").tobytes())

    found = columns(reading)
    for level in (1, 2, 3):
        assert found[f"mass{level}_share"][0] == pytest.approx(found[f"box{level}_share"][0])
        assert found[f"mass{level}_mean"][0] == 1
    assert [found[f"mass4_{name}"][0] for name in ("share", "mean")] == [-1, -1]


def test_readings_of_several_models_keep_their_columns() -> None:
    """Memory of a deleted reading may only be reused by its own model."""
    models = [_reader.Model(names=b"", words=b"", stages=(), chances=b"\xff\xff" * CHANCES) for _ in range(2)]
    pages = [b"<p>" + b"word " * size + b"</p>" * (size % 3) + b"<p>x" * size for size in (400, 3, 90, 1, 200)]
    expected = [read(page).columns for page in pages]

    kept = []
    for _ in range(3):
        kept = [(place, _reader.read(page, model)) for place, page in enumerate(pages) for model in models]
        models = [models[1], _reader.Model(names=b"", words=b"", stages=(), chances=b"\xff\xff" * CHANCES)]

    assert all(reading.columns == expected[place] for place, reading in kept)
