"""Errors: place, message, value, hint and exit code, also across processes."""

import pickle

import pytest

from corpusmill.schemas import errors
from corpusmill.schemas.errors import CorpusmillError, DataError, MissingExtraError, RecipeError, RecipeErrors
from corpusmill.schemas.installing import install_command

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CorpusmillError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_can_be_pickled(kind: type[CorpusmillError]) -> None:
    """Workers of the local engine send errors by pickle; the hint must not get lost."""
    error = kind("30 bands", hint="use 25", file="news.yaml", line=14, field="bands", value=[30])

    back = pickle.loads(pickle.dumps(error))

    assert type(back) is kind
    assert vars(back) == vars(error)
    assert str(back) == str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_exit_code_of_the_contract(kind: type[CorpusmillError]) -> None:
    """Scripts and schedulers decide by the exit code whether to retry."""
    assert kind.exit_code in {1, 2, 3, 4, 5}
    assert kind.__doc__


def test_an_error_begins_with_its_place() -> None:
    """Editors and terminals turn `file:line: message` into a link."""
    assert str(RecipeError("bad", file="news.yaml", line=14)) == "news.yaml:14: bad"
    assert str(RecipeError("bad", file="news.yaml")) == "news.yaml: bad"
    assert str(RecipeError("bad")) == "bad"


def test_several_recipe_errors_are_reported_together() -> None:
    """A user wants to see all errors of a recipe at once."""
    both = RecipeErrors("a", errors=(RecipeError("a", file="r.yaml", line=1), RecipeError("b", file="r.yaml", line=2)))

    assert str(both) == "r.yaml:1: a\nr.yaml:2: b"
    assert [error.message for error in pickle.loads(pickle.dumps(both)).errors] == ["a", "b"]


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    """The user can copy the command and continue."""
    error = MissingExtraError.of("spark", "pyspark")

    assert error.message == "pyspark is not installed"
    assert error.hint == install_command("spark")


def test_a_bad_record_names_the_rule_it_is_counted_under() -> None:
    """The rule `error.<kind>` in the ledger must survive pickling."""
    error = DataError("no text", kind="encoding")

    assert error.rule == "error.encoding"
    assert pickle.loads(pickle.dumps(error)).rule == "error.encoding"
