"""Compare the definition of a source in a recipe with the one under which the source was acquired.

Ids contain the name of the source. Two recipes of a workspace therefore cannot define one name differently, but a
recipe can be corrected: files are registered again, and a crawl that has no pages yet starts over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Never

from corpusmill.pipelines.planning.sources import Acquisition
from corpusmill.pipelines.recipes.reading import LoadedRecipe, load_recipe
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.crawl_source import BUDGET_FIELDS, CrawlSource, allows_budgets
from corpusmill.schemas.errors import CorpusmillError
from corpusmill.schemas.located_yaml import dump_value
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.recipe import LoadSource, Source

_NO_DEFINITION: Final = frozenset(("refresh", "recrawl", "delay", "contact", "respect", "select", "drop"))
"""Fields that control when and how politely a source is acquired, or what of its pages is published, and do not define
it."""
_VERBS: Final = {"crawl": "crawled", "load": "loaded"}


def source_definition(source: Source) -> dict[str, Any]:
    """Return the fields that define *source*, with defaults: not those that control when and how it is acquired."""
    return _defining(source.kind, source.model_dump(mode="json"))


def _defining(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the *fields* that are set, so that a new field does not change existing definitions.

    The license of a crawl is that of pages without their own; it changes nothing that was fetched.
    """
    ignored = _NO_DEFINITION | {"license"} if kind == "crawl" else _NO_DEFINITION
    is_set = {name: value for name, value in fields.items() if value is not None and (name != "render" or value)}
    return {name: value for name, value in is_set.items() if name not in ignored}


def changed_fields(source: Source, raw: RawManifest) -> dict[str, tuple[Any, Any]]:
    """Return the values of each field that differs, in *raw* and in *source*; None for a field that is not set."""
    ours = {"kind": source.kind} | source_definition(source)
    theirs = {"kind": raw.kind} | _defining(raw.kind, raw.definition)
    names = sorted(ours.keys() | theirs.keys())
    pairs = {name: (theirs.get(name), ours.get(name)) for name in names}
    return {name: (before, now) for name, (before, now) in pairs.items() if _or_unset(before) != _or_unset(now)}


def _or_unset(value: Any) -> Any:
    """Return None for false, which is the value of a switch that an earlier version did not have."""
    return None if value is False else value


def describe_change(source: Source, raw: RawManifest) -> str | None:
    """Return how the definition of *source* differs from that in *raw*; None if they are equal."""
    changes = changed_fields(source, raw)
    if not changes:
        return None
    when = f"when `{source.name}` was first {_VERBS[raw.kind]} "
    parts = [
        f"`{field}` was {_shown(before)} {'' if index else when}and is {_shown(now)} now"
        for index, (field, (before, now)) in enumerate(changes.items())
    ]
    return "; ".join(parts)


def _shown(value: Any) -> str:
    return "not set" if value is None else f"`{dump_value(value)}`"


def check_definition(
    loaded: LoadedRecipe,
    source: Source,
    raw: RawManifest,
    workspace: Workspace,
    acquisition: Acquisition,
    *,
    is_requested: bool = False,
) -> str | None:
    """Return why *source* must be acquired again, because its definition changed; None if it did not change.

    Args:
        raw: The manifest of the source in the workspace.
        is_requested: Whether the user asked for a new crawl or for a registration of the files. Pages and copies of
            the earlier definition may then be replaced.

    Raises:
        RecipeError: Another recipe still has the earlier definition, or something would be lost.
    """
    change = describe_change(source, raw)
    if change is None:
        return None
    folder = workspace.raw(source.name).address("manifest.json").removesuffix("/manifest.json")
    new_name = f"rename this source, use another workspace, or remove {folder}"
    if (other := _other_recipe(loaded, source, raw, workspace, acquisition)) is not None:
        _refuse(loaded, source, raw, f"{change}; {other} still has the earlier definition", hint=new_name)
    if raw.kind != source.kind:
        _refuse(loaded, source, raw, change, hint=new_name)
    if is_requested:
        return change
    command = f"`corpusmill {source.kind} {loaded.path} --source {source.name}`"
    if isinstance(source, LoadSource):
        if lost := _lost_copies(loaded, source, raw, acquisition):
            what = "copied file is" if len(lost) == 1 else "copied files are"
            problem = f"{change}; {len(lost):,} {what} no longer at `path`, such as {lost[0]}"
            _refuse(loaded, source, raw, problem, hint=f"{command} registers only the files that are at `path` now")
    elif not _can_continue(source, raw, workspace, acquisition):
        _refuse(loaded, source, raw, change, hint=f"{command} crawls the site again; or rename this source")
    return change


def _refuse(loaded: LoadedRecipe, source: Source, raw: RawManifest, problem: str, *, hint: str) -> Never:
    changes = changed_fields(source, raw)
    first = next(iter(changes))
    place = (*loaded.place_of_source(source.name), source.kind, first)
    raise loaded.error(f"source `{source.name}`: {problem}", place, hint=hint, value=changes[first][1])


def _other_recipe(
    loaded: LoadedRecipe, source: Source, raw: RawManifest, workspace: Workspace, acquisition: Acquisition
) -> str | None:
    """Return the path of another recipe that was run in *workspace* and has the definition in *raw*."""
    paths = {run["recipe"] for run in workspace.runs()} - {str(loaded.path)}
    return next((path for path in sorted(paths) if _defines(path, source.name, raw, acquisition)), None)


def _defines(path: str, name: str, raw: RawManifest, acquisition: Acquisition) -> bool:
    """Return whether the recipe at *path* can be read and defines the source *name* as *raw* does."""
    try:
        recipe = load_recipe(path, loaders=acquisition.loaders, check_inputs=False).recipe
    except CorpusmillError:
        return False
    return any(not changed_fields(source, raw) for source in recipe.sources if source.name == name)


def _lost_copies(loaded: LoadedRecipe, source: LoadSource, raw: RawManifest, acquisition: Acquisition) -> list[str]:
    """Return the names of copied files that a new registration of *source* would not include.

    An export, of which a preview has no files, is not a copy of a file: a new definition is exported again.
    """
    copied = {file.name for file in raw.files if not file.is_in_place}
    if not copied:
        return []
    try:
        present = {file.name for file in acquisition.preview(source, base=loaded.path.parent).files}
    except CorpusmillError:
        return sorted(copied)
    if not present:
        return []
    return sorted(copied - present)


def _can_continue(source: CrawlSource, raw: RawManifest, workspace: Workspace, acquisition: Acquisition) -> bool:
    """Return whether a crawl can take the definition of *source* and keep its pages.

    It can if it has no pages, or if only `max_pages` changed and is not below the number of pages, or `budgets` were
    raised.
    """
    pages = raw.counts["pages"] if raw.finished else acquisition.pages(source, workspace.crawl_folder(source.name))
    is_budget = changed_fields(source, raw).keys() <= set(BUDGET_FIELDS)
    return pages == 0 or (is_budget and allows_budgets(source, raw.definition, pages=pages))
