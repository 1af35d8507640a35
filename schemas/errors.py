"""The errors of corpusmill, by who must act.

A message has the place, the problem and the value; the hint says what to do. The command line prints both without a
traceback and exits with `exit_code`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from corpusmill.schemas.installing import install_command


class CorpusmillError(Exception):
    """Base class of all errors that a user can act on.

    Args:
        message: The problem, with the value.
        hint: A command or a change that helps.
        file: The file that has the problem.
        line: Line in *file*, from 1.
        field: Name of the field at fault, dotted (``stages.3.near_dedup.bands``).
        value: The value at fault, as it was read.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
        value: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line
        self.field = field
        self.value = value

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return f"{place}: {self.message}" if place else self.message

    def as_dict(self) -> dict[str, Any]:
        """Return the error as `--json` prints it."""
        place = {"file": self.file, "line": self.line, "field": self.field}
        return {"code": self.code, "message": str(self), "hint": self.hint, **place}

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.__dict__)


def _rebuild(kind: type[CorpusmillError], message: str, state: dict[str, Any]) -> CorpusmillError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class UsageError(CorpusmillError):
    """The command was called with arguments that are not valid."""

    exit_code = 2
    code = "usage"


class RecipeError(CorpusmillError):
    """A recipe or configuration file must be corrected. Nothing was started."""

    exit_code = 2
    code = "recipe"


class RecipeErrors(RecipeError):
    """Several problems of one recipe, reported together."""

    def __init__(self, message: str, *, errors: tuple[RecipeError, ...] = (), **details: Any) -> None:
        super().__init__(message, **details)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors) or super().__str__()


class SourceError(CorpusmillError):
    """A site, a file or a store is not as the recipe expects."""

    exit_code = 1
    code = "source"


class DamagedFileError(SourceError):
    """A file does not match its manifest, or cannot be read."""

    code = "damaged"


class WorkError(CorpusmillError):
    """A step failed and would fail again."""

    code = "work"


class ConservationError(WorkError):
    """Records or bytes were lost between two stages. This is a bug in corpusmill; nothing is published."""

    code = "conservation"


class ChecksFailedError(CorpusmillError):
    """The version is complete, but fails the recipe's `checks`."""

    exit_code = 3
    code = "checks"


class UnfinishedError(CorpusmillError):
    """The work stopped early; the same command resumes it. Causes: disk full, lock held, store unreachable."""

    exit_code = 5
    code = "unfinished"


class LockHeldError(UnfinishedError):
    """Another process holds the lock; the message names it."""


class MissingExtraError(UsageError):
    """An extra of corpusmill is not installed."""

    code = "missing_extra"

    @classmethod
    def of(cls, extra: str, module: str) -> MissingExtraError:
        """Return the error for *module*, which the extra *extra* installs."""
        return cls(f"{module} is not installed", hint=install_command(extra))


class DataError(CorpusmillError):
    """One record is broken. It is recorded in the ledger with the rule ``error.<kind>``, and the run continues."""

    code = "data"

    def __init__(self, message: str, *, kind: str = "unreadable", **details: Any) -> None:
        super().__init__(message, **details)
        self.kind = kind

    @property
    def rule(self) -> str:
        """The rule of the record in the ledger."""
        return f"error.{self.kind}"
