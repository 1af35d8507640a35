"""The stage `normalize`."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, Stage, Transform, reject
from corpusmill.pipelines.stages.normalize import characters, punctuation
from corpusmill.pipelines.stages.normalize.contractions import CONTRACTIONS, contractions
from corpusmill.pipelines.stages.normalize.mojibake import mojibake
from corpusmill.pipelines.stages.normalize.operations import Operation, settle


class Normalize(Stage):
    """Normalize the spelling of texts: Unicode form, encoding, controls, white space; optionally case and punctuation.

    Normalizing twice gives the same result as normalizing once. Texts that become empty are rejected by the rule
    `normalize.empty`.
    """

    unicode: Literal["NFC", "NFKC", "none"] = Field(
        default="NFC",
        description="Unicode normalization form; NFKC also replaces ligatures, full-width letters and others.",
    )
    mojibake: bool = Field(default=True, description="Repair text that was decoded with the wrong encoding (ftfy).")
    control_characters: bool = Field(
        default=True,
        description="Remove controls, escape sequences of terminals, zero-width and bidi characters and soft "
        "hyphens; joiners are kept where a script needs them.",
    )
    whitespace: bool = Field(
        default=True,
        description="Newlines as line ends, one space between words, no trailing spaces, at most one blank line, "
        "no space around the text; indentation is kept.",
    )
    lowercase: bool = Field(default=False, description="Lower-case all letters.")
    punctuation: Literal["keep", "ascii", "remove"] = Field(
        default="keep",
        description="`ascii`: quotation marks, dashes and ellipsis become ASCII; `remove`: all punctuation is removed.",
    )
    contractions: Literal["keep", "expand"] = Field(
        default="keep", description="`expand`: expand English contractions (don't: do not)."
    )

    version: ClassVar[int] = 3
    depends: ClassVar[tuple[str, ...]] = ("ftfy",)
    data: ClassVar[tuple[str, ...]] = (CONTRACTIONS,)
    card_line: ClassVar[str | None] = (
        "converts text to one Unicode form and repairs white space and wrongly decoded characters"
    )

    def changes(self) -> tuple[str, ...]:
        """Return the text column."""
        return ("text",)

    def rules(self) -> tuple[str, ...]:
        """Return the only rule."""
        return ("normalize.empty",)

    def operations(self) -> tuple[Operation, ...]:
        """Return the operations that the parameters select, in the order in which they are applied."""
        wanted = (
            (self.control_characters, characters.escape_sequences),
            (self.mojibake, mojibake),
            (self.control_characters or self.whitespace, characters.line_ends),
            (self.control_characters, characters.invisible),
            (self.control_characters, characters.joiners),
            (self.unicode == "NFC", lambda: characters.unicode_form("NFC")),
            (self.unicode == "NFKC", lambda: characters.unicode_form("NFKC")),
            (self.contractions == "expand", contractions),
            (self.punctuation == "ascii", punctuation.ascii_punctuation),
            (self.punctuation == "remove", punctuation.no_punctuation),
            (self.lowercase, characters.lowercase),
            (self.whitespace, characters.whitespace),
        )
        return tuple(make() for is_wanted, make in wanted if is_wanted)

    def build(self) -> Transform:
        """Return the function. ftfy's pattern is compiled here."""
        operations = self.operations()

        def normalize(batch: pa.RecordBatch) -> pa.RecordBatch:
            done = settle(batch["text"], operations)
            at = batch.schema.get_field_index("text")
            batch = batch.set_column(at, batch.schema.field(at), done.texts)
            batch = batch.append_column(TEXT_ADDED, pa.array(done.added))
            batch = batch.append_column(TEXT_CUT, pa.array(done.cut))
            return reject(batch, pc.equal(done.texts, ""), rule="normalize.empty")

        return normalize
