"""Read a recipe file and report all of its problems at once, with their lines, before any work starts.

`load_recipe` returns the recipe with all defaults filled in, and its stages and loaders as values. Stages come from the
table in `corpusmill.pipelines.registry`, loaders from a table of the same form that the caller passes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.extras import missing_from
from corpusmill.pipelines.recipes.paths import UnsetVariableError, absolute_pattern, is_special, matches, path_hint
from corpusmill.pipelines.recipes.stage_files import problems_of_files
from corpusmill.pipelines.recipes.templates_file import read_templates
from corpusmill.pipelines.registry import ENTRY_POINTS, RESERVED_STAGES, STAGE_NAME, STAGE_NAME_HINT, STAGES
from corpusmill.pipelines.stages.base import Stage
from corpusmill.schemas.archive_paths import is_member, split_archive
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.expectations import example, examples
from corpusmill.schemas.installing import install_command
from corpusmill.schemas.located_yaml import (
    RECIPE,
    LocatedYaml,
    Place,
    dump_field,
    dump_value,
    dump_yaml,
    read_yaml,
)
from corpusmill.schemas.problems import Problems, Section, hint_among, hint_for_top_level, shown
from corpusmill.schemas.recipe import SOURCE_KINDS, LoadSource, Recipe, Source, number_stages
from corpusmill.schemas.storage import is_url

PLANNED_STAGES: Final = ("augment", "parts_of_speech", "bias")
PLANNED_FORMATS: Final = ("sitemap", "xml")
"""Names that are planned but not implemented; the error says so."""

_SECTIONS: Final = tuple(Recipe.model_fields)
_UNREAD_BY_LOADERS: Final = frozenset(LoadSource.model_fields) - {"text_field", "id_field"}


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe, read from a file.

    Args:
        recipe: The recipe with every default filled in, including those of stages and loaders.
        path: The file.
        located: The file's content and lines.
        stages: The stages, one for each of ``recipe.stages``.
        loaders: The loader of each `load` source, by the source's name.
    """

    recipe: Recipe
    path: Path
    located: LocatedYaml
    stages: tuple[Stage, ...]
    loaders: Mapping[str, BaseModel]

    def error(self, message: str, place: Place, *, hint: str | None = None, value: Any = None) -> RecipeError:
        """Return an error at *place*, such as ``("stages", 3)``, for a problem detected after the recipe was read."""
        return Problems(self.located).error(message, place, hint=hint, value=value)

    def place_of_source(self, name: str) -> Place:
        """Return the place of the source *name*."""
        return ("sources", [source.name for source in self.recipe.sources].index(name))


def stage_table(builtin: Mapping[str, str] = STAGES) -> dict[str, str]:
    """Return the table of stages: *builtin*, then the entry points of other distributions.

    Raises:
        RecipeError: A distribution has a stage with a name that is already used.
    """
    table = dict(builtin)
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        if table.setdefault(entry.name, entry.value) != entry.value:
            owner = entry.dist.name if entry.dist else entry.value
            raise RecipeError(
                f"two stages have the name `{entry.name}`: {table[entry.name]} and {entry.value}",
                hint=f"uninstall {owner}, or rename its entry point",
            )
    return table


def load_recipe(
    path: str | Path,
    *,
    stages: Mapping[str, str] | None = None,
    loaders: Mapping[str, str],
    present: Container[str] = (),
    check_inputs: bool = True,
) -> LoadedRecipe:
    """Read the recipe at *path*.

    Args:
        stages: Table of stages, ``name -> "module:Class"``; None means `stage_table`.
        loaders: Table of loaders, of the same form.
        present: Sources in the workspace, whose files need not exist.
        check_inputs: Whether to check that the files of the other sources exist.

    Raises:
        RecipeErrors: The recipe has problems, which are in `errors`.
        RecipeError: The file cannot be read.
    """
    located = read_yaml(path)
    problems = Problems(located)
    if not isinstance(located.value, dict):
        raise problems.not_a_mapping(RECIPE)
    problems.refuse_other_kind(RECIPE)
    reader = _Reader(located, problems, stages if stages is not None else stage_table(), loaders)
    loaded = reader.read(Path(path).absolute())
    if check_inputs:
        base = Path(path).absolute().parent
        _look_for_inputs(located.value.get("sources"), base, present, problems, loaders)
        if loaded is not None:
            for place, problem in problems_of_files(loaded.recipe.stages, loaded.stages, base=base):
                problems.add(problem.message, place, hint=problem.hint, value=problem.value)
    problems.raise_any()
    assert loaded is not None, "a recipe without problems is not None"
    return loaded


class _Reader:
    """Reads the parts of a recipe separately, so that an invalid part does not hide problems of others."""

    def __init__(
        self, located: LocatedYaml, problems: Problems, stages: Mapping[str, str], loaders: Mapping[str, str]
    ) -> None:
        self._located = located
        self._problems = problems
        self._stage_table = stages
        self._loader_table = loaders
        self._loaders: dict[str, BaseModel] = {}
        self._base = Path()

    def read(self, path: Path) -> LoadedRecipe | None:
        """Return the recipe, or None if there is a problem."""
        self._base = path.parent
        value: dict[str, Any] = self._located.value
        self._refuse_unknown_sections(value)
        frame = self._frame({name: item for name, item in value.items() if name in _SECTIONS})
        sources = self._sources(value["sources"]) if "sources" in value else []
        stages = self._stages(value["stages"]) if "stages" in value else []
        if self._problems.errors or frame is None:
            return None
        entries = number_stages([{name: stage.model_dump(mode="json")} for name, stage in stages])
        recipe = frame.model_copy(update={"sources": tuple(sources), "stages": entries})
        return LoadedRecipe(recipe, path, self._located, tuple(stage for _, stage in stages), self._loaders)

    def _refuse_unknown_sections(self, value: dict[str, Any]) -> None:
        for name in value.keys() - set(_SECTIONS):
            hint = hint_among(name, _SECTIONS, noun="fields")
            self._problems.add(f"unknown field `{name}`", (name,), hint=hint)

    def _frame(self, value: dict[str, Any]) -> Recipe | None:
        """Read all fields except sources and stages, which are read separately."""
        placeholder = {"sources": [{"load": {"name": "x", "format": "x", "path": "x"}}], "stages": []}
        known = value | {key: placeholder[key] for key in placeholder if key in value}
        return self._problems.read(Section((), "", Recipe), known)

    def _sources(self, entries: Any) -> list[Source]:
        if not self._is_list(entries, "sources"):
            return []
        sources: list[Source] = []
        names: dict[str, int] = {}
        for index, entry in enumerate(entries):
            kind, fields = self._source_kind(entry, index)
            if kind is None:
                continue
            self._refuse_repeated_name(fields.get("name"), index, names)
            source = self._crawl(fields, index) if kind == "crawl" else self._load(fields, index)
            sources += [source] if source is not None else []
        return sources

    def _is_list(self, value: Any, section: str) -> bool:
        if isinstance(value, list) and (value or section == "stages"):
            return True
        if (section,) not in self._located.unread:
            count = " with at least one entry" if section == "sources" else ""
            problem = f"`{section}` is a list{count}, got `{shown(value)}`"
            self._problems.add(problem, (section,), hint=_hint_for_list(section, value), value=value)
        return False

    def _source_kind(self, entry: Any, index: int) -> tuple[str | None, dict[str, Any]]:
        place: Place = ("sources", index)
        label = f"source {index + 1}"
        match entry:
            case {"crawl": dict() as fields, **rest} if not rest:
                return "crawl", fields
            case {"load": dict() as fields, **rest} if not rest:
                return "load", fields
            case dict() if len(entry) == 1 and (kind := next(iter(entry))) not in SOURCE_KINDS:
                hint = hint_among(kind, tuple(SOURCE_KINDS), noun="kinds")
                self._problems.add(f"{label}: unknown kind of source `{kind}`", place, hint=hint)
            case {"crawl": None, **_rest} | {"load": None, **_rest}:
                hint = "indent the fields below it further than its name"
                self._problems.add(f"{label}: no fields", place, hint=hint)
            case _:
                problem = f"{label}: a source is `crawl: {{…}}` or `load: {{…}}`, got `{shown(entry)}`"
                if place not in self._located.unread:
                    self._problems.add(problem, place, hint=_hint_for_source(entry), value=entry)
        return None, {}

    def _refuse_repeated_name(self, name: Any, index: int, names: dict[str, int]) -> None:
        if not isinstance(name, str) or names.setdefault(name, index) == index:
            return
        line = self._located.line(("sources", names[name]))
        problem = f"source {index + 1}: the name `{name}` is used by the source in line {line}"
        self._problems.add(problem, ("sources", index), hint="give each source its own name", value=name)

    def _crawl(self, fields: dict[str, Any], index: int) -> CrawlSource | None:
        place, label = ("sources", index, "crawl"), _label("source", index, fields)
        return self._problems.read(Section(place, label, CrawlSource, top_level=_SECTIONS), fields)

    def _load(self, fields: dict[str, Any], index: int) -> LoadSource | None:
        place: Place = ("sources", index, "load")
        label = _label("source", index, fields)
        fields = self._with_text_field(fields, place, label)
        fields = self._with_templates(fields, place, label)
        loader = self._loader(fields, place, label)
        if _is_planned(fields.get("format"), self._loader_table):
            return None  # the other fields depend on the format
        source = self._problems.read(Section(place, label, LoadSource, top_level=_SECTIONS), fields)
        if source is None or loader is None:
            return None
        self._loaders[source.name] = loader
        return LoadSource.model_validate_json(json.dumps(fields | loader.model_dump(mode="json")), strict=True)

    def _with_text_field(self, fields: dict[str, Any], place: Place, label: str) -> dict[str, Any]:
        """Return *fields* with `text_field` in place of `text`, its other name."""
        if "text" not in fields:
            return fields
        if fields.get("text_field") is not None:
            problem = f"{label}: `text` is another name of `text_field`, which is also set"
            self._problems.add(problem, (*place, "text"), hint="remove one of them", value=fields["text"])
        rest = {name: value for name, value in fields.items() if name != "text"}
        return {"text_field": fields["text"]} | rest

    def _with_templates(self, fields: dict[str, Any], place: Place, label: str) -> dict[str, Any]:
        """Return *fields* with the content of the file that `templates` names, if it does."""
        name = fields.get("templates")
        loader = self._loader_table.get(str(fields.get("format")))
        if not isinstance(name, str) or loader is None or "templates" not in resolve(loader).model_fields:
            return fields
        try:
            return fields | {"templates": read_templates(name, base=self._base)}
        except RecipeError as error:
            self._problems.add(
                f"{label}: field `templates`: {error.message}", (*place, "templates"), hint=error.hint, value=name
            )
        return {field: value for field, value in fields.items() if field != "templates"}

    def _loader(self, fields: dict[str, Any], place: Place, label: str) -> BaseModel | None:
        name = fields.get("format")
        if not isinstance(name, str):
            return None
        if name not in self._loader_table:
            self._refuse_format(name, place, label)
            return None
        model: type[BaseModel] = resolve(self._loader_table[name])
        extra: str | None = getattr(model, "extra", None)
        if extra is not None and (missing := missing_from(extra)):
            problem = f"{label}, format `{name}`: needs {', '.join(missing)}, which is not installed"
            self._problems.add(problem, (*place, "format"), hint=install_command(extra), value=name)
        left = _UNREAD_BY_LOADERS - model.model_fields.keys()
        params = {key: value for key, value in fields.items() if key not in left and value is not None}
        known = tuple(dict.fromkeys((*_shared_fields(), *model.model_fields)))
        section = Section(place, f"{label}, format `{name}`", model, fields=known, top_level=_SECTIONS)
        return self._problems.read(section, params)

    def _refuse_format(self, name: str, place: Place, label: str) -> None:
        here = (*place, "format")
        if _is_planned(name, self._loader_table):
            formats = f"formats: {', '.join(self._loader_table)}"
            self._problems.add(f"{label}: the format `{name}` is not implemented", here, hint=formats, value=name)
            return
        hint = hint_among(name, tuple(self._loader_table), noun="formats")
        self._problems.add(f"{label}: unknown format `{name}`", here, hint=hint, value=name)

    def _stages(self, entries: Any) -> list[tuple[str, Stage]]:
        if not self._is_list(entries, "stages"):
            return []
        stages = []
        for index, entry in enumerate(entries):
            name, params = self._stage_name(entry, index)
            stage = self._stage(name, params, index) if name is not None else None
            stages += [(name, stage)] if name is not None and stage is not None else []
        return stages

    def _stage_name(self, entry: Any, index: int) -> tuple[str | None, dict[str, Any]]:
        place: Place = ("stages", index)
        hint: str | None = None
        match entry:
            case str():
                return entry, {}
            case dict() if len(entry) == 1:
                name, params = next(iter(entry.items()))
                if params is None or isinstance(params, dict):
                    return name, params or {}
                problem = f"parameters are fields with values: `{name}: {{…}}`"
                hint = self._hint_for_parameters(name)
            case dict() if None in entry.values():
                problem, hint = "a stage has one name", "indent the parameters below it further than its name"
            case _:
                problem = "a stage is a name, or a name with its parameters: `name: {…}`"
                hint = _hint_for_stage(entry, self._stage_table)
        if place not in self._located.unread:
            self._problems.add(f"stage {index + 1}: {problem}, got `{shown(entry)}`", place, hint=hint, value=entry)
        return None, {}

    def _hint_for_parameters(self, name: str) -> str:
        """Return the hint for parameters of the stage *name* that are not a mapping, with its first field."""
        with contextlib.suppress(ImportError, AttributeError, KeyError):
            model = resolve(self._stage_table[name])
            first = next((line for field in model.model_fields if (line := example(model, (field,)))), None)
            return f"for example `{name}: {{{first}}}`" if first else f"write `- {name}`: the stage has no parameters"
        return hint_among(name, tuple(self._stage_table), noun="stages") or "name a stage"

    def _stage(self, name: str, params: dict[str, Any], index: int) -> Stage | None:
        if name not in self._stage_table:
            self._refuse_stage(name, index)
            return None
        place: Place = ("stages", index)
        label = f"stage {index + 1} (`{name}`)"
        if not STAGE_NAME.fullmatch(name) or name in RESERVED_STAGES:
            self._problems.add(f"{label}: not a valid name of a stage", place, hint=STAGE_NAME_HINT, value=name)
            return None
        model = self._stage_class(name, place, label)
        if model is None:
            return None
        return self._problems.read(Section((*place, name), label, model, top_level=_SECTIONS), params)

    def _refuse_stage(self, name: str, index: int) -> None:
        label, place = f"stage {index + 1}", ("stages", index)
        if name in PLANNED_STAGES:
            stages = f"stages: {', '.join(self._stage_table)}"
            self._problems.add(f"{label}: the stage `{name}` is not implemented", place, hint=stages, value=name)
            return
        if name in _SECTIONS:
            hint: str | None = hint_for_top_level(name)
        else:
            hint = hint_among(name, tuple(self._stage_table), noun="stages")
        self._problems.add(f"{label}: unknown stage `{name}`", place, hint=hint, value=name)

    def _stage_class(self, name: str, place: Place, label: str) -> type[Stage] | None:
        try:
            model: type[Stage] = resolve(self._stage_table[name])
        except (ImportError, AttributeError) as error:
            hint = "reinstall the distribution of the stage, or remove the stage from the recipe"
            self._problems.add(f"{label}: {self._stage_table[name]} cannot be loaded: {error}", place, hint=hint)
            return None
        if model.extra is not None and (missing := missing_from(model.extra)):
            problem = f"{label}: needs {', '.join(missing)}, which is not installed"
            self._problems.add(problem, place, hint=install_command(model.extra))
        return model


def _hint_for_list(section: str, value: Any) -> str:
    """Return the hint for a *section* that is not a list, or is empty."""
    is_source = section == "sources" and isinstance(value, dict) and set(value) <= set(SOURCE_KINDS)
    if value and (is_source or (section == "stages" and isinstance(value, str))):
        return f"write a list: `{dump_field(section, [value])}`"
    return f"for example `{example(Recipe, (section,))}`"


def _hint_for_source(entry: Any) -> str:
    """Return the hint for an *entry* with no kind of source, or with two."""
    fields = entry if isinstance(entry, dict) else {}
    if len(fields) > 1 and set(fields) <= set(SOURCE_KINDS):
        return "begin each source with its own `- `"
    kind = "crawl" if "start_urls" in fields else "load"
    if fields.keys() & SOURCE_KINDS[kind].model_fields.keys():
        return f"put the fields below `{kind}:`, indented further: `{dump_field(kind, entry)}`"
    return f"for example `{dump_value(next(examples(Recipe, ('sources',)))[0])}`"


def _hint_for_stage(entry: Any, table: Mapping[str, str]) -> str:
    """Return the hint for an *entry* of `stages` that is neither a name nor a name with parameters."""
    match entry:
        case [str() as name] if name in table:
            return f"remove the brackets: `{name}`"
        case dict() if len(entry) > 1:
            return "begin each stage with its own `- `, and indent its parameters further than its name"
    return f"for example `{next(iter(table))}`; stages: {', '.join(table)}"


def _label(word: str, index: int, fields: Mapping[str, Any]) -> str:
    name = fields.get("name")
    return f"{word} {index + 1} (`{name}`)" if isinstance(name, str) else f"{word} {index + 1}"


def _shared_fields() -> Iterator[str]:
    return (name for name in LoadSource.model_fields if name in _UNREAD_BY_LOADERS)


def _is_planned(name: Any, loaders: Mapping[str, str]) -> bool:
    """Return whether *name* is a format that is planned but not implemented."""
    return isinstance(name, str) and name in PLANNED_FORMATS and name not in loaders


def _look_for_inputs(
    sources: Any, base: Path, present: Container[str], problems: Problems, loaders: Mapping[str, str]
) -> None:
    """Report the paths of *sources*, as read from the file, that match no file. Skips malformed entries."""
    for index, entry in enumerate(sources if isinstance(sources, list) else []):
        match entry:
            case {"crawl": {"name": str() as name, "urls": str() | [*_] as paths}} if name not in present:
                label = f"source {index + 1} (`{name}`)"
                for position, path in enumerate([paths] if isinstance(paths, str) else paths):
                    place = ("sources", index, "crawl", "urls", *(() if isinstance(paths, str) else (position,)))
                    _look_for_input(path, place, base, label, problems, field="urls")
            case {"load": {"format": name}} if _is_planned(name, loaders):
                pass
            case {"load": {"name": str() as name, "path": str() as path}} if name not in present:
                _look_for_input(
                    path, ("sources", index, "load", "path"), base, f"source {index + 1} (`{name}`)", problems
                )
            case {"load": {"name": str() as name, "path": [*paths]}} if name not in present:
                for position, path in enumerate(paths):
                    place = ("sources", index, "load", "path", position)
                    _look_for_input(path, place, base, f"source {index + 1} (`{name}`)", problems)


def _look_for_input(
    path: Any, place: Place, base: Path, label: str, problems: Problems, *, field: str = "path"
) -> None:
    if not isinstance(path, str) or not path or "\0" in path:
        return
    file = split_archive(path)[0] if is_member(path) else path
    try:
        pattern = absolute_pattern(file, base=base)
    except UnsetVariableError as error:
        problems.add(f"{label}: field `{field}`: {error}, got `{path}`", place, hint=error.hint, value=path)
        return
    if is_url(pattern):
        return
    if is_special(pattern):
        problems.add(
            f"{label}: field `{field}`: not a regular file, got `{path}`", place, hint="name a file", value=path
        )
    elif not matches(pattern):
        problem = f"{label}: field `{field}`: no such file, got `{path}`"
        problems.add(problem, place, hint=path_hint(pattern), value=path)


def resolved_yaml(recipe: Recipe) -> str:
    """Return *recipe* with every default as the text of a recipe file, which reads back as an equal recipe."""
    return "# The recipe with all defaults.\n" + dump_yaml(recipe.model_dump(mode="json"))
