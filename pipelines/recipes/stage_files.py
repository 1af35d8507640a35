"""Check the files that the stages of a recipe read, before any work starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from corpusmill.pipelines.recipes.paths import UnsetVariableError, absolute_pattern, matching_files, path_hint
from corpusmill.pipelines.stages.base import FileInput, FileProblem, Stage
from corpusmill.schemas.errors import CorpusmillError
from corpusmill.schemas.located_yaml import Place, dotted
from corpusmill.schemas.recipe import StageEntry
from corpusmill.schemas.storage import is_url, located


def problems_of_files(
    entries: Sequence[StageEntry], stages: Sequence[Stage], *, base: Path
) -> Iterator[tuple[Place, FileProblem]]:
    """Yield what is wrong with the files of *stages*, with the place in the recipe.

    Args:
        entries: The entry of each stage.
        base: The recipe's folder.
    """
    for index, (entry, stage) in enumerate(zip(entries, stages, strict=True)):
        for input_ in stage.inputs():
            problem = _problem(stage, input_, base) if isinstance(input_, FileInput) else None
            if problem is not None:
                message = f"stage {index + 1} (`{entry.name}`): field `{dotted(problem.at)}`: {problem.message}"
                yield ("stages", index, entry.name, *problem.at), replace(problem, message=message)


def warnings_of_files(stage: Stage, *, base: Path) -> Iterator[str]:
    """Yield the warnings of *stage* about its files, which have no problem."""
    for input_ in stage.inputs():
        if isinstance(input_, FileInput):
            for file, place in matching_files(input_.path, base=base).items():
                store, key = located(place)
                with store.fetched(key) as path:
                    if (warning := stage.file_warning(input_, path)) is not None:
                        yield f"{file} {warning}"


def _problem(stage: Stage, input_: FileInput, base: Path) -> FileProblem | None:
    try:
        files = matching_files(input_.path, base=base)
    except UnsetVariableError as error:
        return FileProblem(f"{error}, got `{input_.path}`", input_.at, input_.path, error.hint)
    if not files:
        pattern = absolute_pattern(input_.path, base=base)
        if Path(pattern).is_dir():
            hint = f"name its files: `{input_.path.rstrip('/')}/*`"
            return FileProblem(f"not a file, but a folder, got `{input_.path}`", input_.at, input_.path, hint)
        return FileProblem(f"no such file, got `{input_.path}`", input_.at, input_.path, path_hint(pattern))
    for file, place in files.items():
        try:
            store, key = located(place)
            with store.fetched(key) as path:
                problem = stage.file_problem(input_, path)
        except FileNotFoundError:
            hint = "check the address" if is_url(place) else path_hint(place)
            return FileProblem(f"no such file, got `{file}`", input_.at, input_.path, hint)
        except (CorpusmillError, OSError) as error:
            return FileProblem(f"{file}: {error}", input_.at, input_.path, "check that the file can be read")
        if problem is not None:
            return replace(problem, message=f"{file}: {problem.message}")
    return None
