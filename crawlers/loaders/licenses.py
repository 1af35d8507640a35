"""Licences as SPDX expressions, from the names that people write.

Source of the identifiers: https://spdx.org/licenses/; of the classifiers: the list of trove classifiers. A name that
stands for several licences ("BSD", "GPL") is not guessed: it becomes a `LicenseRef-`, or nothing.
"""

from __future__ import annotations

import re
from typing import Final

_IDENTIFIERS: Final = """
0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-2.0 BSD-1-Clause BSD-2-Clause
BSD-3-Clause BSD-4-Clause BSL-1.0 CC-BY-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0 CC-BY-NC-2.0 CC-BY-NC-3.0
CC-BY-NC-4.0 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0 CC-BY-ND-3.0 CC-BY-ND-4.0
CC-BY-SA-2.0 CC-BY-SA-2.5 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CNRI-Python ECL-2.0 EPL-1.0 EPL-2.0 EUPL-1.2
GFDL-1.2-or-later GFDL-1.3-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND ISC
LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later MIT MIT-0 MIT-CMU MPL-1.1 MPL-2.0 NCSA
ODC-By-1.0 ODbL-1.0 OFL-1.1 PDDL-1.0 PSF-2.0 Python-2.0 Unicode-3.0 Unlicense UPL-1.0 Vim W3C WTFPL X11 Zlib
ZPL-2.1
""".split()
_BY_LOWER: Final = {name.lower(): name for name in _IDENTIFIERS}
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
_CREATIVE_COMMONS: Final = re.compile(
    r"(?:https?://creativecommons\.org/licenses/|cc[ -])(by(?:-(?:nc|nd|sa))*)[/ -](\d\.\d)(?:/\S*)?", re.I
)
_EXPRESSION: Final = re.compile(r"\(|\)|[^\s()]+")
_REFERENCE: Final = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_OPERATORS: Final = {"and": "AND", "or": "OR", "with": "WITH"}


def spdx(name: str) -> str | None:
    """Give the SPDX expression that *name* is or stands for; none where it is unknown or may be several.

    >>> spdx("mit OR apache-2.0"), spdx("Apache License 2.0"), spdx("CC BY-SA 4.0"), spdx("see file")
    ('MIT OR Apache-2.0', 'Apache-2.0', 'CC-BY-SA-4.0', None)
    """
    name = " ".join(name.split())
    if found := _CREATIVE_COMMONS.fullmatch(name):
        return _BY_LOWER.get(f"cc-{found[1]}-{found[2]}".lower())
    return _NAMES.get(name.lower()) or _expression(name)


def spdx_of_classifiers(classifiers: list[str]) -> str | None:
    """Give the licence that the ``License ::`` classifiers of a distribution name.

    None where they name several: whether both hold or either is then not said.

    >>> spdx_of_classifiers(["License :: OSI Approved", "License :: OSI Approved :: MIT License"])
    'MIT'
    """
    leaves = {line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")} - {"OSI Approved"}
    return _CLASSIFIERS.get(leaves.pop()) if len(leaves) == 1 else None


def _expression(text: str) -> str | None:
    """Give *text* as an SPDX expression with its identifiers in their own case; none where one is unknown."""
    parts: list[str] = []
    for token in _EXPRESSION.findall(text):
        is_exception = bool(parts) and parts[-1] == "WITH"
        known = _BY_LOWER.get(token.lower()) or (token if _REFERENCE.fullmatch(token) else None)
        part = token if token in "()" or is_exception else _OPERATORS.get(token.lower()) or known
        if part is None:
            return None
        parts.append(part)
    return " ".join(parts).replace("( ", "(").replace(" )", ")") if _is_well_formed(parts) else None


def _is_well_formed(parts: list[str]) -> bool:
    """Tell whether names and operators take turns and the parentheses match (SPDX 2.3, annex D)."""
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
