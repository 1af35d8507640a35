"""Authors of posts and messages: left out, or replaced by pseudonyms that only the holder of the key can reproduce."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from corpusmill.crawlers.loaders.streamed import Streamed
from corpusmill.schemas.deidentification.pseudonyms import KEY_VARIABLE, key_id, pseudonym, pseudonym_key
from corpusmill.schemas.problems import HintedValueError


class Authored(Streamed):
    """A loader of records with authors. Without the key for pseudonyms, the recipe is refused."""

    authors: Literal["pseudonyms"] | None = Field(
        default=None,
        description="Null: nothing of the author is read. `pseudonyms`: the field `author` of the metadata is the same "
        f"code for the same author, computed with the secret key in the environment variable `{KEY_VARIABLE}`.",
        examples=["pseudonyms"],
    )
    key_id: str | None = Field(
        default=None,
        description="Identifies the key of `authors: pseudonyms`; filled in, so that codes under different keys are "
        "never mixed.",
        examples=["5f0c1d9a"],
    )

    @model_validator(mode="after")
    def _with_key_id(self) -> Self:
        if self.authors is None:
            return self
        try:
            current = key_id(pseudonym_key(KEY_VARIABLE))
        except HintedValueError as error:
            raise HintedValueError(error.message, hint=error.hint, at=("authors",)) from error
        if self.key_id not in (None, current):
            problem = f"the key in `{KEY_VARIABLE}` is not the one of this recipe (`key_id: {self.key_id}`)"
            raise HintedValueError(problem, hint="set the former key, or remove `key_id`", at=("key_id",))
        object.__setattr__(self, "key_id", current)  # a copy would be ignored by `__init__`
        return self

    def author(self, name: str, *, place: str) -> str:
        """Return the pseudonym of the author *name* at *place*, such as ``reddit``; empty without names or pseudonyms.

        Case is ignored; every other character counts, because `a_b` and `ab` are two authors.
        """
        if self.authors is None or not name:
            return ""
        return pseudonym(pseudonym_key(KEY_VARIABLE), f"author {place}", name.casefold().encode().hex())
