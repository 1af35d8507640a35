"""Write, publish, open, compare and explain the versions of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpusmill.pipelines.dataset.version import Version, open_version

__all__ = ["Version", "open_version"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from corpusmill.pipelines.dataset import version

        return getattr(version, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
