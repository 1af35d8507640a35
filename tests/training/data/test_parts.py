"""Mixtures by a column, curricula by a number: who is read, how often, and when."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from corpusmill.schemas.errors import UsageError
from corpusmill.training.config import CurriculumConfig, MixtureConfig, PhaseConfig, VersionConfig
from corpusmill.training.data import Corpus, PackedDataset, load_tokenizer, open_corpus
from corpusmill.training.data.labels import label_rows
from corpusmill.training.data.parts import mixed_values, mixed_versions
from corpusmill.training.data.token_cache import open_cache
from corpusmill.training.data.tokenize import tokenize

ROWS = 400
WORDS = {"wiki": "crawl", "web": "page", "news": "token"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return 90 documents: 60 of wiki, 20 of web, 10 of news, of 1 to 30 words; one of wiki has no number."""
    folder = tmp_path_factory.mktemp("mixed")
    rows: list[dict[str, Any]] = [
        {
            "id": f"{number:032d}",
            "source": source,
            "words": None if number == 7 else 1 + number % 30,
            "text": " ".join([WORDS[source]] * (1 + number % 30)),
        }
        for number, source in enumerate(["wiki"] * 60 + ["web"] * 20 + ["news"] * 10)
    ]
    for shard in range(2):
        table = pa.Table.from_pylist(rows[shard::2])
        pq.write_table(table, folder / f"train-{shard:05d}-of-00002.parquet", row_group_size=11)
    signals = pa.table(
        {"id": [row["id"] for row in rows][::-1], "made.length": [len(row["text"]) for row in rows][::-1]}
    )
    pq.write_table(signals.slice(0, 50), folder / "signals-00000-of-00002.parquet")
    pq.write_table(signals.slice(50), folder / "signals-00001-of-00002.parquet")
    return open_corpus(folder)


@pytest.fixture(scope="module")
def tokenizer(tokenizer_dir: Path) -> Tokenizer:
    return load_tokenizer(tokenizer_dir)


def sources_of(dataset: PackedDataset, tokenizer: Tokenizer, count: int) -> list[Counter[str]]:
    """Return the words of each row, by the source that uses them."""
    by_word = {word: source for source, word in WORDS.items()}
    texts = [tokenizer.decode(row.tokens.tolist()) for row in itertools.islice(dataset.rows(), count)]
    return [Counter(by_word[word] for word in text.split() if word in by_word) for text in texts]


def opened(corpus: Corpus, tokenizer: Tokenizer, parts: Any, shares: Any, **options: Any) -> PackedDataset:
    return PackedDataset(parts, tokenizer, 16, **({"batch_size": 4, "epochs": None, "shares": shares} | options))


def test_each_value_has_its_weight(corpus: Corpus, tokenizer: Tokenizer) -> None:
    """A value without a weight is left out, and no row mixes two values."""
    mixture = MixtureConfig(by="source", weights={"wiki": 1, "news": 3})

    parts, shares = mixed_values(corpus, mixture, None, rows=ROWS)
    rows = sources_of(opened(corpus, tokenizer, parts, shares), tokenizer, ROWS)

    found = Counter(source for row in rows for source in row)
    assert set(found) == {"wiki", "news"}
    assert abs(found["news"] - 300) <= 2


def test_temperature_evens_out(corpus: Corpus) -> None:
    """As they occur at 1, closer to equal above."""
    shares = {}
    for temperature in (1.0, 2.0, 1000.0):
        parts, _ = mixed_values(corpus, MixtureConfig(by="source", temperature=temperature), None, rows=ROWS)
        assert [part.selection and part.selection.name for part in parts] == [
            "source: news",
            "source: web",
            "source: wiki",
        ]
        shares[temperature] = [part.weight for part in parts]

    sizes = label_rows(corpus, "source").sizes
    assert shares[1.0] == [size / sum(sizes) for size in sizes]
    assert shares[1.0][0] < shares[2.0][0] < shares[1000.0][0] < 1 / 3 + 0.01


def test_a_curriculum_goes_from_short_to_long(corpus: Corpus, tokenizer: Tokenizer) -> None:
    """Each bucket is read for its share of the text, in the order of the number."""
    curriculum = CurriculumConfig(by="words", buckets=3, order="ascending")

    parts, shares = mixed_values(corpus, None, curriculum, rows=ROWS)
    order = [row.part for row in itertools.islice(opened(corpus, tokenizer, parts, shares).rows(), ROWS)]

    assert [part.selection and part.selection.name for part in parts] == [
        "words: 1 to 11",
        "words: 11 to 20",
        "words: 20 to 30",
        "words: no value",
    ]
    assert order == sorted(order)
    assert order.count(2) > order.count(1) > order.count(0) > 0


def test_phases_weight_the_buckets(corpus: Corpus, tokenizer: Tokenizer) -> None:
    """A weight of 1 takes a bucket as often as it occurs; signals are found by id."""
    phases = [PhaseConfig(at=0, weights=[1, 0]), PhaseConfig(at=0.5, weights=[1, 1])]
    curriculum = CurriculumConfig(by="made.length", buckets=2, phases=phases)

    parts, shares = mixed_values(corpus, None, curriculum, rows=ROWS)
    order = [row.part for row in itertools.islice(opened(corpus, tokenizer, parts, shares).rows(), ROWS)]

    assert set(order[: ROWS // 2]) == {0}
    sizes = label_rows(corpus, "made.length", buckets=2).sizes
    assert abs(order[ROWS // 2 :].count(1) / (ROWS // 2) - sizes[1] / sum(sizes)) < 0.02


def test_a_mixture_with_a_curriculum_keeps_the_weights_in_each_phase(corpus: Corpus, tokenizer: Tokenizer) -> None:
    """Buckets order the documents of each value; the values keep their shares."""
    mixture = MixtureConfig(by="source", weights={"wiki": 1, "web": 1})
    curriculum = CurriculumConfig(by="words", buckets=2, order="descending")

    parts, shares = mixed_values(corpus, mixture, curriculum, rows=ROWS)
    rows = sources_of(opened(corpus, tokenizer, parts, shares), tokenizer, ROWS)

    for half in (rows[: ROWS // 4], rows[-ROWS // 4 :]):
        assert abs(sum("web" in row for row in half) - ROWS // 8) <= 4


@pytest.mark.parametrize("kind", ["mixture", "curriculum"])
def test_parts_from_a_cache_are_those_from_text(
    corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path, kind: str
) -> None:
    """The cache keeps rows aligned, so labels apply to both; seeking finds the same state."""
    mixture = MixtureConfig(by="source", temperature=2) if kind == "mixture" else None
    curriculum = CurriculumConfig(by="words", order="ascending") if kind == "curriculum" else None
    parts, shares = mixed_values(corpus, mixture, curriculum, rows=ROWS)
    cache = open_cache(tokenize(corpus, tokenizer, workspace=tmp_path)["path"])
    from_text = opened(corpus, tokenizer, parts, shares)
    from_cache = opened(corpus, tokenizer, parts, shares, caches=[cache] * len(parts))

    rows = [[row.tolist() for row in itertools.islice(dataset, 200)] for dataset in (from_text, from_cache)]
    sought = opened(corpus, tokenizer, parts, shares, caches=[cache] * len(parts))
    sought.seek(50)

    assert rows[0] == rows[1]
    assert sought.state_dict() == from_text.state_dict() == from_cache.state_dict()


def test_versions_are_weighted_by_their_text(corpus: Corpus, corpus_dir: Path) -> None:
    """Without weights, by bytes; with them, as given."""
    corpora = [corpus, open_corpus(corpus_dir)]
    natural, _ = mixed_versions([VersionConfig(version="a"), VersionConfig(version="b")], corpora, temperature=1)
    given, shares = mixed_versions(
        [VersionConfig(version="a", weight=3), VersionConfig(version="b", weight=1, epochs=2)], corpora, temperature=1
    )

    assert natural[0].weight / natural[1].weight == pytest.approx(corpora[0].text_bytes / corpora[1].text_bytes)
    assert shares.weights == ((3.0, 1.0),)
    assert given[1].epochs == 2


@pytest.mark.parametrize(
    ("mixture", "curriculum", "message", "hint"),
    [
        ({"by": "sauce"}, None, "has no column or signal `sauce`", "columns: id, source, words, text; signals: made"),
        ({"by": "source", "weights": {"wikis": 1}}, None, "names 'wikis'", "values: 'news', 'web', 'wiki'"),
        ({"by": "source", "epochs": {"books": 1}}, None, "names 'books'", "values: 'news'"),
        (None, {"phases": [{"at": 0, "weights": [1, 1]}], "buckets": 2}, "has 2 weights", "buckets: words: 1 to 16"),
    ],
)
def test_names_that_do_not_occur_are_refused(
    corpus: Corpus, mixture: dict[str, Any] | None, curriculum: dict[str, Any] | None, message: str, hint: str
) -> None:
    """A misspelled source would silently get no share."""
    with pytest.raises(UsageError, match=message) as refused:
        mixed_values(
            corpus,
            mixture and MixtureConfig.model_validate(mixture),
            curriculum and CurriculumConfig.model_validate({"by": "words"} | curriculum),
            rows=ROWS,
        )

    assert str(refused.value.hint).startswith(hint)
