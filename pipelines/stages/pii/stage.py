"""The stage `pii`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field, field_validator

from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, PersonalData, Stage, Transform, reject
from corpusmill.pipelines.stages.pii.mask import KINDS, Counts, in_order, mask_and_count, mask_column
from corpusmill.schemas.problems import HintedValueError, hint_among

_NOT_BUILT: Final = ("phone", "iban", "key")


def _is_built(kind: str) -> str:
    if kind not in KINDS:
        problem = "is not implemented" if kind in _NOT_BUILT else "is not a kind of personal data"
        raise HintedValueError(f"`{kind}` {problem}", hint=hint_among(kind, tuple(KINDS), noun="allowed"))
    return kind


class Pii(Stage):
    """Detect personal data, and mask it, reject its documents, or only count it.

    Only the text is searched. Title, URL and metadata are published as they are.

    Signals: `pii.<kind>`, the number of items in each document. With `action: drop`, a document is rejected by the rule
    `pii.<kind>` of the first kind that it contains.
    """

    kinds: tuple[Annotated[str, AfterValidator(_is_built)], ...] = Field(
        default=tuple(KINDS),
        min_length=1,
        description="Kinds to detect: `email`, `ip` (public addresses, not version numbers), `card` (payment cards).",
        json_schema_extra={"items": {"enum": list(KINDS)}},
    )
    action: Literal["mask", "drop", "count"] = Field(
        default="mask",
        description="`mask`: replace with <EMAIL>, <IP>, <CARD>; `drop`: reject the document; `count`: only count.",
    )

    version: ClassVar[int] = 2
    masks: ClassVar[bool] = True
    personal_data: ClassVar[PersonalData | None] = PersonalData(signals="pii.", is_fixed_form=True)
    card_line: ClassVar[str | None] = "detects and masks personal data that has a fixed form"

    @field_validator("kinds")
    @classmethod
    def _in_order(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(kind for kind in KINDS if kind in kinds)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the columns of the counts."""
        return tuple(pa.field(f"pii.{kind}", pa.int64()) for kind in self.kinds)

    def changes(self) -> tuple[str, ...]:
        """Return `text` if the action is `mask`."""
        return ("text",) if self.action == "mask" else ()

    def rules(self) -> tuple[str, ...]:
        """Return a rule for each kind if the action is `drop`."""
        return tuple(f"pii.{kind}" for kind in self.kinds) if self.action == "drop" else ()

    def mask_column(self, texts: pa.StringArray) -> pa.StringArray:
        """Return *texts* (nulls stay) with all personal data of `kinds` masked, for any action."""
        return mask_column(texts, self.kinds)

    def build(self) -> Transform:
        """Return the function."""
        kinds = in_order(self.kinds)

        def pii(batch: pa.RecordBatch) -> pa.RecordBatch:
            before = batch["text"]
            masked = mask_and_count(before, kinds)
            if self.action == "mask":
                at = batch.schema.get_field_index("text")
                batch = batch.set_column(at, batch.schema.field(at), masked.texts)
                batch = _with_account(batch, before, masked.texts, masked.counts)
            for field in self.adds():
                batch = batch.append_column(field, pa.array(masked.counts[field.name.removeprefix("pii.")]))
            return _dropped(batch, masked.counts) if self.action == "drop" else batch

        return pii


def _with_account(
    batch: pa.RecordBatch, before: pa.StringArray, after: pa.StringArray, counts: Counts
) -> pa.RecordBatch:
    added = np.zeros(len(before), np.int64)
    for name, count in counts.items():
        added += count * len(KINDS[name].placeholder)
    cut = pc.binary_length(before).to_numpy() + added - pc.binary_length(after).to_numpy()
    return batch.append_column(TEXT_ADDED, pa.array(added)).append_column(TEXT_CUT, pa.array(cut, pa.int64()))


def _dropped(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    for name, count in counts.items():
        batch = reject(batch, count > 0, rule=f"pii.{name}", value=count, threshold=0)
    return batch
