"""The parameters of de-identification, which loaders of medical records and the stage share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from corpusmill.schemas.deidentification.kinds import KINDS, SAFE_HARBOR
from corpusmill.schemas.deidentification.pseudonyms import KEY_VARIABLE, key_id, pseudonym_key
from corpusmill.schemas.problems import HintedValueError, hint_among


def _covered(kind: str) -> str:
    if kind in KINDS:
        return kind
    if kind in SAFE_HARBOR:
        raise HintedValueError(f"`{kind}`: {SAFE_HARBOR[kind].treatment}", hint=f"remove `{kind}` from `kinds`")
    raise HintedValueError(f"`{kind}` is not a kind of identifier", hint=hint_among(kind, KINDS, noun="allowed"))


class Deidentification(BaseModel):
    """Which identifiers are replaced, and how. The defaults follow the Safe Harbor rule and need no key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[Annotated[str, AfterValidator(_covered)], ...] = Field(
        default=KINDS,
        min_length=1,
        description="Kinds of identifiers to replace. The Safe Harbor rule requires all of them.",
        json_schema_extra={"items": {"enum": list(KINDS)}},
    )
    dates: Literal["year", "shift"] = Field(
        default="year",
        description="`year`: a date becomes its year; `shift`: all dates of a patient move by the same number of days, "
        "1 to 365, which the key decides.",
    )
    ids: Literal["remove", "pseudonym"] = Field(
        default="remove",
        description="`remove`: an identifying number becomes a placeholder such as <MRN>; `pseudonym`: a placeholder "
        "with a pseudonym that the key decides, such as <MRN 5f0c1d9a3b7e>, and the id of the record as well.",
    )
    key: str = Field(
        default=KEY_VARIABLE,
        min_length=1,
        description="Environment variable with the secret key, for `dates: shift` and `ids: pseudonym`.",
        examples=[KEY_VARIABLE],
    )
    key_id: str | None = Field(
        default=None,
        description="Identifies the key; filled in, so that results under different keys are never mixed.",
    )

    @field_validator("kinds")
    @classmethod
    def _in_order(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(kind for kind in KINDS if kind in kinds)

    @model_validator(mode="after")
    def _with_key_id(self) -> Self:
        if self.dates != "shift" and self.ids != "pseudonym":
            return self
        current = key_id(pseudonym_key(self.key))
        if self.key_id not in (None, current):
            problem = f"the key in `{self.key}` is not the one of this recipe (`key_id: {self.key_id}`)"
            raise HintedValueError(problem, hint="set the former key, or remove `key_id`", at=("key_id",))
        object.__setattr__(self, "key_id", current)  # a copy would be ignored by `__init__`
        return self

    @property
    def secret(self) -> bytes | None:
        """The key; None if nothing needs one."""
        return None if self.key_id is None else pseudonym_key(self.key)
