"""What is wrong with a command line: what is expected, what was written, and a hint with the right form."""

from __future__ import annotations

import re
from typing import Any

import click

_VALUE = re.compile(r"'(?P<quoted>.*)' is not |(?P<number>\S+) is not in the range", re.DOTALL)
"""How click quotes a value that a type refuses."""
_PATH_HINTS = {
    "does not exist": "check the path: it is relative to the folder in which the command was called",
    "is a file": "name a folder",
    "is a directory": "name a file",
    "is not readable": "make it readable for this user",
    "is not writable": "make it writable for this user",
}
_URL_HINT = "name a file or folder; for a recipe that crawls a site: `corpusmill init FOLDER --template site`"
_PATH = re.compile(rf"\w+ '(?P<path>.*)' (?P<problem>{'|'.join(_PATH_HINTS)})\.", re.DOTALL)
"""How click quotes a path that cannot be used."""


class SuggestingGroup(click.Group):
    """A group of commands that names the nearest command for a misspelled one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that *args* begin with.

        Raises:
            click.UsageError: There is no such command.
        """
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], names, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def explain(error: click.ClickException) -> tuple[str, str]:
    """Return message and hint of *error*, which click raised over the arguments of a command."""
    match error:
        case click.BadParameter(param=click.Parameter() as parameter) if match := _VALUE.match(error.message):
            return _wrong_value(parameter, match["quoted"] if match["number"] is None else match["number"], error)
        case click.BadParameter(param=click.Parameter() as parameter) if match := _PATH.match(error.message):
            hint = _URL_HINT if "://" in match["path"] else _PATH_HINTS[match["problem"]]
            return f"`{_name(parameter)}`: `{match['path']}` {match['problem']}", hint
        case click.NoSuchOption(option_name=name, possibilities=[near, *_]):
            return f"unknown option `{name}`", f"did you mean `{near}`?; {_help(error)}"
        case click.BadOptionUsage(option_name=name) if "requires an argument" in error.message:
            return f"`{name}` has no value", f"write the value behind it: `{name} VALUE`"
        case click.BadOptionUsage(option_name=name) if "does not take a value" in error.message:
            return f"`{name}` takes no value", f"write `{name}` alone"
    return error.format_message(), _help(error)


def _help(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"`{context.command_path} --help` shows how" if context else "`corpusmill --help` lists the commands"


def _wrong_value(parameter: click.Parameter, value: str, error: click.BadParameter) -> tuple[str, str]:
    """Return message and hint for *value*, which the type of *parameter* refuses."""
    from corpusmill.schemas.expectations import number_words, sample_number
    from corpusmill.schemas.problems import hint_among

    name = _name(parameter)
    if isinstance(parameter.type, click.Choice):
        hint = hint_among(value, [str(choice) for choice in parameter.type.choices], noun="allowed")
        return f"`{name}`: `{value}` is not allowed", hint or _help(error)
    if (schema := _number_schema(parameter.type)) is not None:
        sample = parameter.default if isinstance(parameter.default, (int, float)) else sample_number(schema)
        return f"`{name}`: expected {number_words(schema)}, got `{value}`", f"for example `{name} {sample}`"
    return error.format_message(), _help(error)


def _name(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name


def _number_schema(kind: Any) -> dict[str, Any] | None:
    """Return the JSON Schema of the numbers that *kind* takes; None for another kind."""
    match kind:
        case click.IntRange() | click.FloatRange():
            bounds = {"minimum": kind.min, "maximum": kind.max}
            is_whole = isinstance(kind, click.IntRange)
        case click.types.IntParamType() | click.types.FloatParamType():
            bounds, is_whole = {}, isinstance(kind, click.types.IntParamType)
        case _:
            return None
    known = {keyword: bound for keyword, bound in bounds.items() if bound is not None}
    return {"type": "integer" if is_whole else "number", **known}
