"""Data sets of the Hugging Face library `datasets`: a folder on disk, or a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.arrow_values import values
from corpusmill.crawlers.loaders.exported import Exported
from corpusmill.schemas.errors import MissingExtraError, SourceError

SCHEME: Final = "hf://"
_ROWS: Final = 500


class HuggingFace(Exported):
    """Rows of a data set: `path` is a folder that `save_to_disk` wrote, a folder with data files, or a name.

    A name has the form `hf://owner/name` and needs a network. The library `datasets` reads both. `load` exports the
    rows to compressed JSON Lines in the workspace, from which runs read. A row has the name of its split in the field
    `split`, unless it has such a field. A class is its name. Images and sounds stay encoded. Needs the extra
    `huggingface`.
    """

    extra: ClassVar[str | None] = "huggingface"
    about: ClassVar[About] = About(
        license="A column `license`, else `license` in the recipe: the card of the data set states it.",
        get="`datasets.load_dataset(name).save_to_disk(folder)`, or `path: hf://owner/name`.",
        tried="Folders of datasets 5.2: one split, several, a selection of rows; folders of Parquet and JSON Lines.",
    )

    split: str | None = Field(default=None, min_length=1, description="Split to read; null: all.", examples=["train"])
    config: str | None = Field(default=None, min_length=1, description="Configuration of a data set with a name.")
    revision: str | None = Field(default=None, min_length=1, description="Revision of a data set with a name.")

    def tables(self, address: str) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
        """Yield the rows of each split, under its name."""
        splits = self._splits(address)
        if self.split is not None and self.split not in splits:
            names = ", ".join(splits)
            problem = f"has no split `{self.split}`; it has {names}"
            raise SourceError(problem, file=address, field="split", value=self.split, hint=f"use one of {names}")
        for name, table in splits.items():
            if self.split in {None, name}:
                yield name, _rows(table, name)

    def _splits(self, address: str) -> dict[str, Any]:
        try:
            import datasets
        except ImportError as error:
            raise MissingExtraError.of("huggingface", "datasets") from error
        try:
            if address.startswith(SCHEME):
                name = address.removeprefix(SCHEME)
                whole = datasets.load_dataset(name, self.config, revision=self.revision)
            elif _is_saved(Path(address)):
                whole = datasets.load_from_disk(address, keep_in_memory=False)
            elif Path(address).is_dir():
                whole = datasets.load_dataset(address, self.config)
            else:
                raise SourceError(
                    "no such folder", file=address, field="path", hint=f"name a folder, or `{SCHEME}owner/name`"
                )
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise SourceError(
                f"`datasets` cannot read it: {reason}", file=address, field="path", hint="try it with `load_dataset`"
            ) from error
        return dict(whole) if isinstance(whole, datasets.DatasetDict) else {str(whole.split or "train"): whole}


def _is_saved(folder: Path) -> bool:
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def _rows(table: Any, split: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of *table*; a class is its name rather than its number."""
    classes = {column: names for column, kind in table.features.items() if (names := getattr(kind, "names", None))}
    for part in table.with_format("arrow").iter(batch_size=_ROWS):
        names = part.column_names
        for batch in part.to_batches():
            for row in zip(*map(values, batch.columns), strict=True):
                record = {"split": split} | dict(zip(names, row, strict=True))
                yield record | {column: _class(record[column], classes[column]) for column in classes}


def _class(number: Any, names: Sequence[str]) -> Any:
    return names[number] if isinstance(number, int) and 0 <= number < len(names) else number
