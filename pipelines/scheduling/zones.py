"""Time zones by their IANA names."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.problems import nearest


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone *name*, such as ``Europe/Berlin`` or ``UTC``.

    Abbreviations such as ``CEST`` and offsets such as ``+02:00`` are refused, because they do not say when
    daylight-saving time begins.

    Raises:
        UsageError: There is no such zone.
    """
    known = available_timezones()
    if name not in known:
        # A city alone is nearer to its zone than to any other name.
        cities = {zone.rpartition("/")[2]: zone for zone in sorted(known, reverse=True)}
        near = nearest(name, known) or cities.get(nearest(name, cities) or "")
        hint = f"did you mean `{near}`?" if near else "use an IANA name, for example `--timezone Europe/Berlin`"
        raise UsageError(f"unknown time zone `{name}`", hint=hint)
    return ZoneInfo(name)
