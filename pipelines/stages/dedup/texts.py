"""Read the texts of compared documents, which may be in another table.

The pool of an incremental run has no texts: few of its documents are compared, and copying texts to it would take as
long as comparing them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input
from corpusmill.pipelines.stages.dedup.vertices import Pass
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

MEMBER: str = "member"
"""Column with the place of a document in the table of compared ones, if its text is in another table."""


@dataclass(frozen=True)
class Texts:
    """The state *of* the documents that have the texts. *home* is the column with the place of a document there."""

    of: str
    home: str


def text_input(
    texts: Texts | None, name: str, *, of: str, through: Function, columns: pa.Schema, where: str
) -> tuple[tuple[Exchange, ...], Input]:
    """Return an input with the text and *columns* of those documents that have a value in the column *where*.

    Args:
        texts: Where the texts are; None: in the table *of* itself.
        name: Name of the step that it needs if they are not. It is among the steps returned.
        of: The state of the compared documents.
        columns: Columns of *of*, maybe with `PLACE`, which is called `MEMBER` if the texts are in another table.
    """
    if texts is None:
        return (), Input(of, through=through, columns=("text", *columns.names), where=where)
    others = [field for field in columns if field.name != PLACE]
    listed = pa.schema([PLACE_FIELD, *others, pa.field(MEMBER, pa.int64(), nullable=False)])
    step = Exchange(
        name=name,
        inputs=(
            Input(
                of,
                through=Homes(home=texts.home, where=where),
                columns=(texts.home, *(field.name for field in others), PLACE),
                where=where,
            ),
        ),
        by=PLACE,
        order=(),
        function=Pass(),
        moved=listed,
        schema=listed,
    )
    return (step,), Input(texts.of, through=through, columns=("text",), at=name)


class Homes(Function):
    """Turns rows with a value in the column *where* into rows by their place in the other table, the column *home*."""

    home: str
    where: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function. `PLACE` becomes the column `MEMBER`."""
        names = {self.home: PLACE, PLACE: MEMBER}

        def run(batches: Batches) -> Batches:
            for batch in batches:
                chosen = batch.filter(pc.is_valid(batch[self.where]))
                yield chosen.rename_columns([names.get(name, name) for name in chosen.schema.names])

        return run
