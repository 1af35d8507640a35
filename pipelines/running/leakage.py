"""Check that similar documents are in one split, and describe their groups."""

from __future__ import annotations

from collections.abc import Mapping

from corpusmill.pipelines.engines.store import StepResult
from corpusmill.pipelines.planning.plan import LEAKAGE_CHECK, LEAKAGE_KEYS
from corpusmill.pipelines.stages.leakage.check import PAIRS, SEPARATED
from corpusmill.pipelines.stages.leakage.groups import GROUP_SIZE
from corpusmill.schemas.errors import WorkError
from corpusmill.schemas.manifest import LARGE_GROUP_SHARE, SplitGroups


def split_groups(results: Mapping[str, StepResult], *, similarity: float | None) -> SplitGroups | None:
    """Return the groups of similar documents in the *results* of a run, or None if it did not look for any.

    Raises:
        WorkError: Two similar documents are in different splits.
    """
    if similarity is None or LEAKAGE_CHECK not in results:
        return None
    counted = results[LEAKAGE_CHECK].counters
    separated = counted.get(SEPARATED, 0)
    if separated:
        raise WorkError(
            f"the split separates {separated} of {counted[PAIRS]} pairs of documents with a similarity of "
            f"{similarity:g} or more, so nothing is published",
            hint="please report this",
        )
    sizes = {
        int(name.removeprefix(GROUP_SIZE)): number
        for name, number in results[LEAKAGE_KEYS].counters.items()
        if name.startswith(GROUP_SIZE)
    }
    return SplitGroups(
        similarity=similarity,
        pairs=counted.get(PAIRS, 0),
        groups=sum(sizes.values()),
        documents=sum(size * number for size, number in sizes.items()),
        largest=max(sizes, default=0),
    )


def large_group(groups: SplitGroups | None, *, published: int) -> list[str]:
    """Return a warning if one group has so many of the *published* documents that the split is useless."""
    if groups is None or groups.largest <= LARGE_GROUP_SHARE * published:
        return []
    share = f"{groups.largest:,} of {published:,} documents"
    hint = f"use a `similarity` above {groups.similarity:g}, or remove what they share"
    return [f"one group of similar documents has {share}, all in one split: {hint}"]
