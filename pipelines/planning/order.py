"""Warn about stages in an order that is valid but rarely intended."""

from __future__ import annotations

from corpusmill.pipelines.recipes.reading import LoadedRecipe


def late_extraction(loaded: LoadedRecipe) -> list[str]:
    """Return a warning if `extract` follows a stage that removes documents with the same text.

    That stage then compares whole pages of HTML, in which two copies of a text differ by their menus.
    """
    stages = list(zip(loaded.recipe.stages, loaded.stages, strict=True))
    for place, (entry, _) in enumerate(stages):
        earlier = next((other.id for other, stage in stages[:place] if stage.removes_copies not in (None, "url")), None)
        if entry.name == "extract" and earlier is not None:
            return [f"`{earlier}` compares raw pages, because it comes before `{entry.id}`: move `extract` before it"]
    return []
