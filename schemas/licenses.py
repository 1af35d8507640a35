"""Convert names and addresses of licenses to SPDX expressions.

The identifiers come from https://spdx.org/licenses/ (SPDX License List 3.27), the classifiers from the list of trove
classifiers. An ambiguous name ("BSD", "GPL") becomes a `LicenseRef-`, or nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_IDENTIFIERS: Final = """
0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-2.0 BSD-1-Clause BSD-2-Clause
BSD-3-Clause BSD-4-Clause BSL-1.0 CC-PDM-1.0 CC0-1.0 CNRI-Python ECL-2.0 EPL-1.0 EPL-2.0 EUPL-1.2
GFDL-1.2-or-later GFDL-1.3-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND ISC
LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later MIT MIT-0 MIT-CMU MPL-1.1 MPL-2.0 NCSA
ODC-By-1.0 ODbL-1.0 OFL-1.1 PDDL-1.0 PSF-2.0 Python-2.0 Unicode-3.0 Unlicense UPL-1.0 Vim W3C WTFPL X11 Zlib
ZPL-2.1
""".split()
_CC_KINDS: Final = ("BY", "BY-NC", "BY-NC-ND", "BY-NC-SA", "BY-ND", "BY-SA")
_CC_VERSIONS: Final = ("1.0", "2.0", "2.5", "3.0", "4.0")
_CC_OF_JAPAN: Final = "2.1"
"""A version that exists only as ports to jurisdictions."""
_CC_IDENTIFIERS: Final = [f"CC-{kind}-{version}" for kind in _CC_KINDS for version in _CC_VERSIONS]
_CC_PORTED: Final = """
CC-BY-2.5-AU CC-BY-3.0-AT CC-BY-3.0-AU CC-BY-3.0-DE CC-BY-3.0-IGO CC-BY-3.0-NL CC-BY-3.0-US CC-BY-NC-3.0-DE
CC-BY-NC-ND-3.0-DE CC-BY-NC-ND-3.0-IGO CC-BY-NC-SA-2.0-DE CC-BY-NC-SA-2.0-FR CC-BY-NC-SA-2.0-UK CC-BY-NC-SA-3.0-DE
CC-BY-NC-SA-3.0-IGO CC-BY-ND-3.0-DE CC-BY-SA-2.0-UK CC-BY-SA-2.1-JP CC-BY-SA-3.0-AT CC-BY-SA-3.0-DE CC-BY-SA-3.0-IGO
""".split()
_BY_LOWER: Final = {name.lower(): name for name in (*_IDENTIFIERS, *_CC_IDENTIFIERS, *_CC_PORTED)}
_EXCEPTIONS: Final = {
    name.lower(): name for name in Path(__file__).with_name("spdx_exceptions.txt").read_text(encoding="utf-8").split()
}
_NAMES: Final = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "2-clause bsd": "BSD-2-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd-2": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "3-clause bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "bsd": "LicenseRef-BSD",
    "bsd license": "LicenseRef-BSD",
    "bsd-like": "LicenseRef-BSD",
    "cc0": "CC0-1.0",
    "cc0 1.0": "CC0-1.0",
    "cc0 1.0 universal": "CC0-1.0",
    "public domain mark 1.0": "CC-PDM-1.0",
    "expat": "MIT",
    "isc license": "ISC",
    "mit license": "MIT",
    "the mit license": "MIT",
    "mit no attribution": "MIT-0",
    "mpl 2.0": "MPL-2.0",
    "mozilla public license 2.0": "MPL-2.0",
    "psf": "PSF-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "public domain": "LicenseRef-Public-Domain",
    "agpl-3.0": "AGPL-3.0-only",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-2.0+": "GPL-2.0-or-later",
    "gpl-3.0": "GPL-3.0-only",
    "gpl-3.0+": "GPL-3.0-or-later",
    "gplv2": "GPL-2.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-2.1+": "LGPL-2.1-or-later",
    "lgpl-3.0": "LGPL-3.0-only",
    "lgplv3": "LGPL-3.0-only",
    "lgplv3+": "LGPL-3.0-or-later",
    "odc-by": "ODC-By-1.0",
    "the unlicense": "Unlicense",
}
_CLASSIFIERS: Final = {
    "Academic Free License (AFL)": "AFL-3.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "LicenseRef-BSD",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Public Domain": "LicenseRef-Public-Domain",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "University of Illinois/NCSA Open Source License": "NCSA",
    "Zero-Clause BSD (0BSD)": "0BSD",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
}
_CC_NAME: Final = re.compile(
    r"(?:cc|creative commons)[ -](?:by|attribution)"
    r"((?:[ -](?:nc|nd|sa|non-?commercial|no-?deriv(?:ative)?s|share-?alike))*)"
    r"[ -](\d\.\d)(?: (?:international|unported|generic))?(?: (?:public )?licen[cs]e)?",
    re.IGNORECASE,
)
_CC_CONDITIONS: Final = {"nonc": "NC", "nod": "ND", "share": "SA"}
_CC_ADDRESS: Final = re.compile(
    r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?|by-nd-nc)/(\d\.\d)(?:/([a-z]{2,3})(?=[/?#.,;)\s\"']|$))?",
    re.IGNORECASE,
)
_ADDRESSES: Final = (
    (re.compile(r"creativecommons\.org/publicdomain/zero/1\.0(?!\d)", re.IGNORECASE), "CC0-1.0"),
    (re.compile(r"creativecommons\.org/publicdomain/mark/1\.0(?!\d)", re.IGNORECASE), "CC-PDM-1.0"),
    (re.compile(r"apache\.org/licenses/LICENSE-2\.0(?!\d)", re.IGNORECASE), "Apache-2.0"),
)
_IDENTIFIER_ADDRESS: Final = re.compile(
    r"(?:spdx\.org/licenses|opensource\.org/licen[sc]es?)/([a-z0-9.+-]+?)(?:\.(?:html|json|php|txt))?(?=[/?#,;)\s\"']|\.?$)",
    re.IGNORECASE,
)
_NEGATION: Final = re.compile(
    r"\b(?:not|no longer|isn't|isn’t|except|unless|nicht|kein\w*|pas|non|no está|не)\b", re.IGNORECASE
)
_MAX_CHARACTERS: Final = 500
"""Characters that are read of a text. A longer text is not the name of a license."""
_EXPRESSION: Final = re.compile(r"\(|\)|[^\s()]+")
_REFERENCE: Final = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_OPERATORS: Final = {"and": "AND", "or": "OR", "with": "WITH"}


def spdx(name: str) -> str | None:
    """Return the SPDX expression for *name*: an expression, a usual name, or a text with the address of a license.

    The result is None if the license is unknown or ambiguous. A ported Creative Commons license without an identifier
    is a `LicenseRef-`, because its text differs.

    >>> spdx("mit OR apache-2.0"), spdx("Apache License 2.0"), spdx("CC BY-SA 4.0"), spdx("see file")
    ('MIT OR Apache-2.0', 'Apache-2.0', 'CC-BY-SA-4.0', None)
    >>> spdx("https://creativecommons.org/licenses/by-sa/4.0/deed.de"), spdx("http://example.org/terms")
    ('CC-BY-SA-4.0', None)
    >>> spdx("creativecommons.org/publicdomain/zero/1.0")
    'CC0-1.0'
    """
    name = " ".join(name.split())
    if len(name) > _MAX_CHARACTERS:
        return _of_addresses(name[:_MAX_CHARACTERS])
    if match := _CC_NAME.fullmatch(name):
        return _creative_commons(match[1], match[2])
    return _NAMES.get(name.lower()) or _expression(name) or _of_addresses(name)


def _of_addresses(text: str) -> str | None:
    """Return the identifier of all license addresses in *text*; None if they differ, or if *text* denies something."""
    if _NEGATION.search(text):
        return None
    names = {_creative_commons(kind[2:], version, port) for kind, version, port in _CC_ADDRESS.findall(text)}
    names |= {identifier for address, identifier in _ADDRESSES if address.search(text)}
    names |= {known for match in _IDENTIFIER_ADDRESS.finditer(text) if (known := _BY_LOWER.get(match[1].lower()))}
    return names.pop() if len(names) == 1 else None


def _creative_commons(conditions: str, version: str, port: str = "") -> str | None:
    """Return the identifier of an attribution license with further *conditions*; None if there is no such license.

    >>> _creative_commons("-NonCommercial-ShareAlike", "4.0"), _creative_commons("-nd-nc", "1.0")
    ('CC-BY-NC-SA-4.0', 'CC-BY-NC-ND-1.0')
    >>> _creative_commons("-sa", "3.0", "fr"), _creative_commons("-sa-nd", "4.0")
    ('LicenseRef-CC-BY-SA-3.0-FR', None)
    """
    words = re.findall("nc|nd|sa|non-?c|no-?d|share", conditions.lower())
    kind = "-".join(["BY", *sorted({_CC_CONDITIONS.get(word.replace("-", ""), word.upper()) for word in words})])
    if kind not in _CC_KINDS or version not in (*_CC_VERSIONS, _CC_OF_JAPAN):
        return None
    name = f"CC-{kind}-{version}" + (f"-{port.upper()}" if port else "")
    return _BY_LOWER.get(name.lower(), f"LicenseRef-{name}")


def spdx_of_classifiers(classifiers: list[str]) -> str | None:
    """Return the license in the ``License ::`` classifiers of a distribution.

    The result is None for several licenses, because classifiers do not say whether all of them apply or any.

    >>> spdx_of_classifiers(["License :: OSI Approved", "License :: OSI Approved :: MIT License"])
    'MIT'
    """
    leaves = {line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")} - {"OSI Approved"}
    return _CLASSIFIERS.get(leaves.pop()) if len(leaves) == 1 else None


def _expression(text: str) -> str | None:
    """Return *text* as an SPDX expression with identifiers in their official case; None if one is unknown."""
    parts: list[str] = []
    for token in _EXPRESSION.findall(text):
        if parts and parts[-1] == "WITH":
            part = _EXCEPTIONS.get(token.lower())
        elif token in "()":
            part = token
        else:
            known = _BY_LOWER.get(token.lower()) or (token if _REFERENCE.fullmatch(token) else None)
            part = _OPERATORS.get(token.lower()) or known
        if part is None:
            return None
        parts.append(part)
    return " ".join(parts).replace("( ", "(").replace(" )", ")") if _is_well_formed(parts) else None


def _is_well_formed(parts: list[str]) -> bool:
    """Return whether names and operators alternate and the parentheses match (SPDX 2.3, annex D)."""
    depth = 0
    wants_name = True
    for part in parts:
        is_operator = part in _OPERATORS.values()
        if part == "(" or not (is_operator or part == ")"):
            if not wants_name:
                return False
            depth += part == "("
            wants_name = part == "("
        else:
            if wants_name:
                return False
            depth -= part == ")"
            wants_name = is_operator
        if depth < 0:
            return False
    return depth == 0 and not wants_name
