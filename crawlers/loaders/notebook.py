"""Jupyter notebooks."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.files import OneDocument
from corpusmill.crawlers.loaders.rows import without_lone_surrogates
from corpusmill.crawlers.loaders.streamed import bounded
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.notebooks import cells_of, language_of, title_and_text
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError


class Notebook(OneDocument):
    """Jupyter notebooks (nbformat 3 and 4): text and code in order. Raw cells, images and outputs are left out."""

    suffixes: ClassVar[tuple[str, ...]] = packed(".ipynb")
    depends: ClassVar[tuple[str, ...]] = ("markdown-it-py",)
    about: ClassVar[About] = About(
        license="`license` in the recipe: notebooks have no field for it.",
        get="The notebooks of a repository, for example a clone of the documentation of a library.",
        tried="Notebooks made by the tests in nbformat 3 and 4.",
    )

    keep: tuple[Literal["outputs"], ...] = Field(
        default=(), description="Optional parts that stay in the text.", examples=[["outputs"]]
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* has cells of a notebook."""
        return head.lstrip()[:1] == b"{" and (b'"cell_type"' in head or b'"nbformat"' in head)

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return text, title, and the language of the code.

        Raises:
            DataError: ``not_json``, ``too_deep``, ``wrong_format``: the JSON has no cells; ``no_text``.
        """
        notebook = _parsed(data)
        try:
            cells = cells_of(notebook)
        except ValueError as error:
            raise DataError(str(error), kind="wrong_format") from error
        title, text = title_and_text(cells, outputs="outputs" in self.keep)
        if not text:
            raise DataError("the notebook has neither text nor code", kind="no_text")
        version = ".".join(str(notebook[name]) for name in ("nbformat", "nbformat_minor") if name in notebook)
        metadata = bounded({"programming_language": language_of(notebook), "nbformat": version})
        return {"text": text, "title": title, "metadata": metadata or None}


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        notebook = json.loads(decode_text(data))
    except RecursionError as error:
        raise DataError("the JSON is nested too deeply", kind="too_deep") from error
    except ValueError as error:
        raise DataError(f"not valid JSON: {error}", kind="not_json") from error
    if not isinstance(notebook, dict):
        raise DataError("not a notebook: the JSON is not an object", kind="wrong_format")
    return {str(name): value for name, value in without_lone_surrogates(notebook).items()}
