"""Addresses and names of licences to SPDX identifiers (SPDX License List 3.27)."""

from __future__ import annotations

import re
from typing import Final

_CREATIVE_COMMONS: Final = re.compile(
    r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?|by-nd-nc)/(1\.0|2\.0|2\.1|2\.5|3\.0|4\.0)(?:/([a-z]{2,3})(?=[/?#]|$))?",
    re.IGNORECASE,
)
_PORTED: Final = frozenset(
    "CC-BY-2.5-AU CC-BY-3.0-AT CC-BY-3.0-AU CC-BY-3.0-DE CC-BY-3.0-IGO CC-BY-3.0-NL CC-BY-3.0-US CC-BY-NC-3.0-DE "
    "CC-BY-NC-ND-3.0-DE CC-BY-NC-ND-3.0-IGO CC-BY-NC-SA-2.0-DE CC-BY-NC-SA-2.0-FR CC-BY-NC-SA-2.0-UK "
    "CC-BY-NC-SA-3.0-DE CC-BY-NC-SA-3.0-IGO CC-BY-ND-3.0-DE CC-BY-SA-2.0-UK CC-BY-SA-2.1-JP CC-BY-SA-3.0-AT "
    "CC-BY-SA-3.0-DE CC-BY-SA-3.0-IGO".split()
)
_NAMED: Final = re.compile(r"CC[ -](BY(?:[ -]NC)?(?:[ -](?:SA|ND))?)[ -](1\.0|2\.0|2\.5|3\.0|4\.0)", re.IGNORECASE)
_NAMES: Final = {name.lower(): name for name in ("CC0-1.0", "Apache-2.0", "MIT", "BSD-3-Clause")}
_FIXED: Final = (
    (re.compile(r"creativecommons\.org/publicdomain/zero/1\.0", re.IGNORECASE), "CC0-1.0"),
    (re.compile(r"creativecommons\.org/publicdomain/mark/1\.0", re.IGNORECASE), "CC-PDM-1.0"),
    (re.compile(r"apache\.org/licenses/LICENSE-2\.0", re.IGNORECASE), "Apache-2.0"),
    (re.compile(r"opensource\.org/licen[sc]es?/MIT(?![a-z0-9-])", re.IGNORECASE), "MIT"),
    (re.compile(r"opensource\.org/licen[sc]es?/BSD-3-Clause", re.IGNORECASE), "BSD-3-Clause"),
)


def spdx(url: str) -> str | None:
    """Give the SPDX identifier of the licence at *url*, which can be the name of one too, or None.

    A version that was ported to a country and has no identifier of its own is a `LicenseRef-`: its text differs.

    >>> spdx("https://creativecommons.org/licenses/by-sa/4.0/deed.de"), spdx("http://example.org/terms")
    ('CC-BY-SA-4.0', None)
    >>> spdx("CC BY-NC 4.0"), spdx("all rights reserved")
    ('CC-BY-NC-4.0', None)
    """
    url = url[:500].strip()
    if match := _NAMED.fullmatch(url):
        return f"CC-{match[1].upper().replace(' ', '-')}-{match[2]}"
    if name := _NAMES.get(url.lower().replace(" ", "-")):
        return name
    if match := _CREATIVE_COMMONS.search(url):
        kind, version, port = match.groups()
        name = f"CC-{kind.upper().replace('BY-ND-NC', 'BY-NC-ND')}-{version}"
        if not port:
            return name
        ported = f"{name}-{port.upper()}"
        return ported if ported in _PORTED else f"LicenseRef-{ported}"
    return next((name for pattern, name in _FIXED if pattern.search(url)), None)
