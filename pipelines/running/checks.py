"""Compare the counts of a version with the recipe's checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from corpusmill.schemas.errors import ChecksFailedError, DataError
from corpusmill.schemas.manifest import Counts, ShardFile
from corpusmill.schemas.recipe import Checks


def check(
    counts: Counts, checks: Checks, *, accept: bool, example: Callable[[str], str | None] = lambda _: None
) -> list[str]:
    """Compare *counts* with the recipe's *checks*; return the failed checks if *accept* is true, and warnings.

    Args:
        example: Returns the message of a ledger row with a rule; called only if no document is left.

    Raises:
        ChecksFailedError: A check failed; the message lists all failed checks.
    """
    failed = failed_checks(counts, checks)
    if failed and not accept:
        raise ChecksFailedError(
            "checks of the recipe failed, so nothing is published: "
            + "; ".join(failed)
            + _for_example(counts, example),
            hint=_hint(counts),
        )
    errors = broken_records(counts)
    if errors and not failed:
        failed.append(f"{errors} of {counts.read} records are broken and in the ledger (rules `error.…`)")
    return failed


def _for_example(counts: Counts, example: Callable[[str], str | None]) -> str:
    """Return an example message of the most frequent rule if no document is left."""
    rule = most_frequent_rule(counts) if not counts.published else None
    message = example(rule[0]) if rule else None
    return f"; for example: {message}" if message else ""


def _hint(counts: Counts) -> str:
    rule = most_frequent_rule(counts)
    if not counts.published and rule is not None and rule[0] == DataError("", kind="no_text").rule:
        return "name the field that holds the text (`text_field: …`) in the source, or publish anyway with --accept"
    return "change the recipe, or publish anyway with --accept and look at the ledger: `corpusmill inspect … --ledger`"


def failed_checks(counts: Counts, checks: Checks) -> list[str]:
    """Return the *checks* that *counts* fail, each with its figures."""
    errors = broken_records(counts)
    read = max(1, counts.read)
    failed = []
    rejected = counts.ledger - counts.created
    if checks.max_rejected is not None and rejected > checks.max_rejected * read:
        failed.append(
            f"max_rejected: {rejected} of {counts.read} documents are rejected, above {checks.max_rejected:g}"
        )
    if checks.min_documents is not None and counts.published < checks.min_documents:
        rule = most_frequent_rule(counts) if not counts.published else None
        most = f" (most of {counts.read}: `{rule[0]}`, {rule[1]})" if rule else ""
        failed.append(f"min_documents: {counts.published} documents are left, below {checks.min_documents}{most}")
    if checks.max_error_rate is not None and errors > checks.max_error_rate * read:
        failed.append(f"max_error_rate: {errors} of {counts.read} records are broken, above {checks.max_error_rate:g}")
    return failed


def most_frequent_rule(counts: Counts) -> tuple[str, int] | None:
    """Return the rule with the most ledger rows, and their number; ties are broken by name."""
    rules: Counter[str] = Counter()
    for stage in counts.stages:
        rules.update(stage.rules)
    return min((+rules).items(), key=lambda item: (-item[1], item[0]), default=None)


def broken_records(counts: Counts) -> int:
    """Return the number of records that could not be read (rules ``error.…``)."""
    return sum(n for stage in counts.stages for rule, n in stage.rules.items() if rule.startswith("error."))


def empty_splits(shares: Mapping[str, float], shards: Iterable[ShardFile]) -> list[str]:
    """Return a warning for each configured split that is empty."""
    rows = dict.fromkeys(shares, 0)
    for shard in shards:
        rows[shard.split] += shard.rows
    return [f"the split `{name}` is empty" for name, share in shares.items() if share and not rows[name]]
