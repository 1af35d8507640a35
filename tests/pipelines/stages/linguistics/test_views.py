"""The linguistic views: golden texts, refused parameters, and independence from other texts."""

from __future__ import annotations

import builtins
import time
from importlib import resources
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.stages.linguistics.lemmatize import SIMPLEMMA, SPACY, Lemmatize, by_simplemma, by_spacy
from corpusmill.pipelines.stages.linguistics.stem import SNOWBALL, Stem, snowball
from corpusmill.pipelines.stages.linguistics.stop_words import LANGUAGES, StopWords, stop_words
from corpusmill.pipelines.stages.linguistics.view import View
from corpusmill.schemas.errors import MissingExtraError
from corpusmill.schemas.installing import install_command
from tests.pipelines.stages.captures import captures

TEXT = "The houses weren't running; it's Dr. Müller's 3 geese, running happily. They flew!"
STAGES = {
    "content words": StopWords(),
    "snowball": Stem(),
    "porter": Stem(algorithm="porter"),
    "wordpunct": Stem(tokens="wordpunct"),
    "simplemma": Lemmatize(),
    "spacy": Lemmatize(engine="spacy"),
    "without stop words": Lemmatize(keep_stop_words=False),
    "tokens by spacy": Lemmatize(tokens="spacy"),
    "sentences": Lemmatize(engine="spacy", tokens="spacy", sentences=True),
}
VIEWS = {name: stage.view() for name, stage in STAGES.items()}
PIECES = [
    "The",
    "houses",
    "ran",
    "isn't",
    "(",
    ".",
    "!",
    " ",
    " ",
    "\n",
    "é",
    "\u0301",
    "http://a.org/b",
    "\U0001f468\u200d",
    "אבג",
    "9",
]
texts = st.one_of(st.text(max_size=25), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("content words", "houses running dr müller 3 geese running happily flew"),
        ("snowball", "the hous weren t run it s dr müller s 3 gees run happili they flew"),
        ("porter", "the hous weren t run it s dr müller s 3 gees run happili they flew"),
        ("wordpunct", "the hous weren ' t run ; it ' s dr . müller ' s 3 gees , run happili . they flew !"),
        ("simplemma", "the house be t run it s dr müller s 3 goose run happily they fly"),
        ("spacy", "the house weren t run it s dr müller s 3 goose run happily they fly"),
        ("without stop words", "house run dr müller 3 goose run happily fly"),
        ("tokens by spacy", "the house be not run ; it 's dr. müller 's 3 goose , run happily . they fly !"),
        ("sentences", "the house be not run ; it 's dr. müller 's 3 goose , run happily .\nthey fly !"),
    ],
)
def test_the_views_of_a_text(name: str, expected: str) -> None:
    """Golden output: a change requires a new version of the stage."""
    assert VIEWS[name](pa.array([TEXT])).to_pylist() == [expected]


@pytest.mark.parametrize(
    ("stage", "text", "expected"),
    [
        (Stem(language="de"), "Die Häuser liefen", "die haus lief"),
        (Lemmatize(language="de"), "Die Häuser liefen", "der haus laufen"),
        (Lemmatize(language="de", engine="spacy"), "Häuser liefen", "haus laufen"),
        (Lemmatize(language="fr"), "les chevaux mangeaient", "le cheval manger"),
        (StopWords(language="fr"), "L'homme qu'elle a vu n'est pas là", "homme vu"),
        (StopWords(language="de"), "Das ist das Haus, in dem wir wohnten", "haus wohnten"),
        (StopWords(language="es"), "La casa en que vivíamos no es grande", "casa vivíamos grande"),
        (StopWords(extra_words=("House", "don't")), "The house that Jack built", "jack built"),
    ],
)
def test_other_languages_and_words(stage: View, text: str, expected: str) -> None:
    """Capitals carry meaning in a German dictionary, and apostrophes separate French words."""
    assert stage.view()(pa.array([text])).to_pylist() == [expected]


@pytest.mark.parametrize("name", list(STAGES))
@given(batch=st.lists(texts, max_size=8))
@settings(max_examples=40, deadline=None)
def test_a_view_does_not_depend_on_the_batch(name: str, batch: list[str]) -> None:
    """Earlier batches must not matter either."""
    view = VIEWS[name]
    column = pa.array(batch, pa.string())
    half = len(batch) // 2

    pieces = view(column.slice(half)).to_pylist()

    assert view(column.slice(0, half)).to_pylist() + pieces == view(column).to_pylist()
    assert view(column).type == pa.string()


@pytest.mark.parametrize("stage", [StopWords(into="x_1"), Stem(), Lemmatize()])
def test_a_stage_adds_its_column_and_nothing_else(stage: View) -> None:
    """The text stays as it is."""
    batch = captures([TEXT, ""])

    out = stage.build()(batch)

    assert out.schema.names == [*batch.schema.names, stage.into]
    assert [out.schema.field(stage.into)] == list(stage.adds())
    assert out.select(batch.schema.names).equals(batch)
    assert out[stage.into][1].as_py() == ""


@pytest.mark.parametrize(
    "into", ["text", "id", "content", "rule", "text_added", "gopher.words", "", "Two Words", "split"]
)
def test_a_view_takes_no_other_columns_name(into: str) -> None:
    """It would overwrite a column, or be taken for a signal."""
    with pytest.raises(ValidationError, match="into"):
        Stem.model_validate_json(f'{{"into": "{into}"}}', strict=True)


@pytest.mark.parametrize(
    ("kind", "given_parameters", "message"),
    [
        (StopWords, {"language": "xx"}, "no list of stop words for `xx`; allowed: de, en, es, fr"),
        (Stem, {"language": "zh"}, "no stems for `zh`"),
        (Stem, {"language": "de", "algorithm": "porter"}, "no stems for `de`; allowed: en"),
        (Lemmatize, {"language": "zh"}, "simplemma has no lemmas for `zh`"),
        (Lemmatize, {"language": "fi", "engine": "spacy"}, "spacy has no lemmas for `fi`"),
        (Lemmatize, {"language": "it", "keep_stop_words": False}, "no list of stop words for `it`"),
        (Lemmatize, {"sentences": True}, "needs `tokens: spacy`"),
    ],
)
def test_what_cannot_be_done_is_refused(kind: type[View], given_parameters: dict[str, Any], message: str) -> None:
    """The recipe is refused before work starts, and the message lists the alternatives."""
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(given_parameters)

    assert message in str(refused.value)


def test_every_language_that_is_offered_works() -> None:
    """The lists are written by hand, so that validation imports nothing expensive."""
    for language in SNOWBALL:
        assert len(snowball(language)(["abc", "test"])) == 2
    for language in LANGUAGES:
        assert all(word == word.lower().strip() for word in stop_words(language))
        assert len(stop_words(language)) > 150


def test_every_table_of_spacy_is_there() -> None:
    """The check uses file names, because the larger tables take seconds to load."""
    tables = resources.files("spacy_lookups_data") / "data"

    for language in SPACY:
        assert (tables / f"{language}_lemma_lookup.json.gz").is_file()
        assert resources.files("spacy.lang").joinpath(language).is_dir()
    assert by_spacy("grc")(["abc"]) == ["abc"]


def test_every_dictionary_of_simplemma_is_there() -> None:
    """simplemma lists its languages; looking up a word would load all dictionaries."""
    from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

    assert set(SUPPORTED_LANGUAGES) >= SIMPLEMMA
    assert by_simplemma("en")(["mice"]) == ["mouse"]


@pytest.mark.parametrize("module", ["Stemmer", "nltk", "simplemma", "spacy"])
def test_a_missing_library_names_the_extra(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without the extra must get a command, not a traceback."""
    stage = {
        "Stemmer": Stem(),
        "nltk": Stem(algorithm="porter"),
        "simplemma": Lemmatize(),
        "spacy": Lemmatize(engine="spacy"),
    }
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == module:
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)

    with pytest.raises(MissingExtraError) as missing:
        stage[module].build()

    assert missing.value.hint == install_command("nlp")


@pytest.mark.parametrize("name", list(STAGES))
@pytest.mark.parametrize("unit", ["a", "(", "a.", "' ", "\u0301", "a b ", "http://", "\U0001f468\u200d"])
def test_a_hostile_text_takes_linear_time(name: str, unit: str) -> None:
    """spaCy alone takes seconds for two thousand brackets."""
    hostile = unit * (100_000 // len(unit))
    start = time.process_time()

    VIEWS[name](pa.array([hostile]))

    assert time.process_time() - start < 10


def test_brackets_do_not_stop_the_tokens_of_spacy() -> None:
    """spaCy alone takes about 10 ms for each of these chunks."""
    hostile = " ".join("(" * 90 + str(number) for number in range(2000))
    start = time.process_time()

    VIEWS["tokens by spacy"](pa.array([hostile]))

    assert time.process_time() - start < 5
