"""HTML to text: decode, parse in one pass, score every block, keep the main content, write the text.

    bytes ── decoding ──► UTF-8 ── selection, formulas ──► markup ── _reader ──► blocks, records
                                                                        │           ├── rendering ──► text
                                                        main_text.model ┘           ├── markdown ───► Markdown
                                                                                    └── metadata ───► title, dates …

Importing this package loads no submodule; `Extract` and the functions are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from corpusmill.pipelines.stages.extract.options import Favor, Options
    from corpusmill.pipelines.stages.extract.page import Page, extract, extract_page
    from corpusmill.pipelines.stages.extract.stage import Extract

__all__ = ["Extract", "Favor", "Options", "Page", "extract", "extract_page"]

_HOME: Final = {
    "Extract": "stage",
    "Favor": "options",
    "Options": "options",
    "Page": "page",
    "extract": "page",
    "extract_page": "page",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
