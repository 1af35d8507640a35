"""Compare the counts of a version with the recipe's checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from corpusmill.schemas.errors import ChecksFailedError, DataError
from corpusmill.schemas.manifest import Counts, ShardFile
from corpusmill.schemas.recipe import Checks


def check(
    counts: Counts,
    checks: Checks,
    *,
    dataset: str,
    accept: bool,
    example: Callable[[str], str | None] = lambda _: None,
    wrong_format: Callable[[], str | None] = lambda: None,
    has_text_field: bool = True,
) -> list[str]:
    """Compare *counts* with the recipe's *checks*; return the failed checks if *accept* is true, and warnings.

    Args:
        dataset: The data set, or the version, that a warning refers to.
        example: Returns the message of a ledger row with a rule; called only if no document is left.
        wrong_format: Returns a hint if the files are in another format; called only if broken records are all there is.
        has_text_field: Whether a source can name the field that holds the text.

    Raises:
        ChecksFailedError: A check failed; the message lists all failed checks.
    """
    failed = failed_checks(counts, checks)
    if failed and not accept:
        raise ChecksFailedError(
            "checks of the recipe failed, so nothing is published: "
            + "; ".join(failed)
            + _for_example(counts, example),
            hint=_hint(counts, wrong_format, has_text_field=has_text_field),
        )
    errors = broken_records(counts)
    if errors and not failed:
        failed.append(f"{_of(errors, counts.read, 'broken')}; see `corpusmill inspect {dataset} --ledger`")
    return failed


def _for_example(counts: Counts, example: Callable[[str], str | None]) -> str:
    """Return an example message of the most frequent rule if no document is left."""
    rule = most_frequent_rule(counts) if not counts.published else None
    message = example(rule[0]) if rule else None
    return f"; for example: {message}" if message else ""


def _hint(counts: Counts, wrong_format: Callable[[], str | None], *, has_text_field: bool) -> str:
    rule = most_frequent_rule(counts)
    is_broken = not counts.published and rule is not None and rule[0].startswith("error.")
    if is_broken and (hint := wrong_format()) is not None:
        return hint
    if not counts.published and rule is not None and rule[0] == DataError("", kind="no_text").rule and has_text_field:
        return "name the field that holds the text (`text_field: …`) in the source, or publish anyway with --accept"
    return "change the recipe, or publish anyway with --accept and look at the ledger: `corpusmill inspect … --ledger`"


def failed_checks(counts: Counts, checks: Checks) -> list[str]:
    """Return the *checks* that *counts* fail, each with its figures."""
    errors = broken_records(counts)
    read = max(1, counts.read - counts.earlier)
    failed = []
    rejected = counts.ledger - counts.created - counts.earlier
    if checks.max_rejected is not None and rejected > checks.max_rejected * read:
        failed.append(
            f"max_rejected: {_of(rejected, counts.read - counts.earlier, 'rejected')}, above {checks.max_rejected:g}"
        )
    if checks.min_documents is not None and counts.published < checks.min_documents:
        rule = most_frequent_rule(counts) if not counts.published else None
        most = f" ({_of(rule[1], counts.read)}: `{rule[0]}`)" if rule else ""
        left = "1 document is" if counts.published == 1 else f"{counts.published} documents are"
        failed.append(f"min_documents: {left} left, fewer than {checks.min_documents}{most}")
    if checks.max_error_rate is not None and errors > checks.max_error_rate * read:
        failed.append(f"max_error_rate: {_of(errors, counts.read, 'broken')}, above {checks.max_error_rate:g}")
    return failed


def _of(part: int, records: int, state: str | None = None) -> str:
    """Return how many of the *records* are in *state*, if one is named.

    >>> _of(1, 136, "broken"), _of(2, 136, "rejected"), _of(1, 1)
    ('1 of 136 records is broken', '2 of 136 records are rejected', '1 of 1 record')
    """
    noun = "record" if records == 1 else "records"
    verb = "" if state is None else f" {'is' if part == 1 else 'are'} {state}"
    return f"{part} of {records} {noun}{verb}"


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
