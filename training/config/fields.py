"""What all sections of a training configuration have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator

from corpusmill.schemas.located_yaml import dump_field
from corpusmill.schemas.problems import HintedValueError


class Fields(BaseModel):
    """A section: unknown fields, other types and non-finite numbers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class NamedFields(Fields):
    """A section whose `name` decides which of its fields it has. Only those are written."""

    ONLY_OF: ClassVar[dict[str, tuple[str, ...]]] = {}
    """The names that have a field; fields that are not listed belong to all names."""

    @classmethod
    def has(cls, field: str, name: str | None) -> bool:
        """Return whether *name* has *field*; without a name, any field may be given."""
        return name is None or name in cls.ONLY_OF.get(field, (name,))

    @model_validator(mode="after")
    def _own_fields(self) -> NamedFields:
        name = getattr(self, "name", None)
        for field in type(self).model_fields:
            if getattr(self, field) is not None and field in self.model_fields_set and not self.has(field, name):
                others = " or ".join(f"`name: {other}`" for other in self.ONLY_OF[field])
                raise HintedValueError(
                    f"`{dump_field(field, getattr(self, field))}` is not a field of `{name}`",
                    hint=f"remove `{field}`, or use {others}",
                    at=(field,),
                )
        return self

    @model_serializer(mode="wrap")
    def _only_own_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        name = getattr(self, "name", None)
        return {field: value for field, value in handler(self).items() if self.has(field, name)}
