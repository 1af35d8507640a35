"""The license of each file of a repository.

In this order: `SPDX-License-Identifier` in the file or in a file `NAME.license` beside it, a usual notice at the top of
the file, `REUSE.toml` and `.reuse/dep5` (REUSE specification 3.3), the license files of the nearest folder, and the
only text in `LICENSES/`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Final

from corpusmill.crawlers.readers.code.attributes import folders_of, pattern_of
from corpusmill.schemas.licenses import spdx

_FILE: Final = re.compile(
    r"(?:licen[sc]e|copying|unlicense|mit-license|copyright)(?:[-_.][\w.+-]*)?",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    r"\.(?:pyi?|ipynb|[cm]?[jt]s|[jt]sx|vue|svelte|go|rb|java|kts?|scala|groovy|swift|dart|[ch]|cc|cpp|cxx|hh|hpp|hxx|mm|cu"
    r"|rs|cs|fs|vb|php|pl|pm|lua|r|jl|exs?|erl|clj|hs|ml|sh|bash|ps1|bat|sql|css|scss|less|html?|xml|xsd|xslt?|svg|json"
    r"|jsonl|ya?ml|toml|ini|cfg|csv|tsv|tmpl|j2|snap)$",
    re.IGNORECASE,
)
"""Ends of the names of code and data, which may be about licenses and quote their texts."""
_MARK: Final = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n\r]{1,200})")
_END: Final = re.compile(r"[ \t]*(?:\*/|-->|\*\)|-\}|\"\"\"|'''|#}|%>|[\"';,*\\]+[ \t]*$).*")
_EXPRESSION: Final = re.compile(r"\(?[A-Za-z0-9.+-]+\)?(?: +(?:AND|OR|WITH) +\(?[A-Za-z0-9.+-]+\)?)*")
_HEAD_CHARACTERS: Final = 8_192
_NOTICE_CHARACTERS: Final = 4_096
_MARKS: Final = re.compile(r"^[\s#*/;%!-]+", re.MULTILINE)
_GNU: Final = re.compile(
    r"gnu (lesser |library |affero )?general public license,? as published by the free software foundation[;,:]? "
    r"(?:either )?version (\d(?:\.\d)?) of the license(,? or \(at your option\) any later version)?"
)
_NOTICES: Final = (
    ("Apache-2.0", "licensed under the apache license, version 2.0"),
    ("MPL-2.0", "subject to the terms of the mozilla public license, v. 2.0"),
    ("BSL-1.0", "distributed under the boost software license, version 1.0"),
)
MAX_LEGAL_BYTES: Final = 300_000
"""A larger file is not a license file."""
_MIT: Final = "permission is hereby granted, free of charge, to any person obtaining a copy"
_ISC: Final = "distribute this software for any purpose with or without fee is hereby granted"
_BSD: Final = "redistribution and use in source and binary forms"
_WHOLE: Final = re.compile(r"[a-z]+(?:\.(?:txt|md|rst))?", re.IGNORECASE)
_TEXTS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("Apache-2.0", ("version 2.0, january 2004", "apache.org/licenses"), ()),
    ("Apache-2.0", ("apache license", "version 2.0, january 2004"), ("apache.org/licenses",)),
    ("Apache-2.0", ("licensed under the apache license, version 2.0",), ("version 2.0, january 2004",)),
    ("AGPL-3.0-only", ("gnu affero general public license version 3, 19 november 2007",), ()),
    ("LGPL-3.0-only", ("gnu lesser general public license version 3, 29 june 2007",), ()),
    ("GPL-3.0-only", ("gnu general public license version 3, 29 june 2007",), ()),
    ("LGPL-2.1-only", ("gnu lesser general public license version 2.1, february 1999",), ()),
    ("LGPL-2.0-only", ("gnu library general public license version 2, june 1991",), ()),
    ("GPL-2.0-only", ("gnu general public license version 2, june 1991",), ()),
    ("MPL-2.0", ("mozilla public license", "version 2.0", "incompatible with secondary licenses"), ()),
    ("MPL-1.1", ("mozilla public license version 1.1",), ()),
    ("MIT", (_MIT, "the above copyright notice and this"), ("except as contained in this notice",)),
    ("MIT-0", (f"{_MIT} of this software",), ("the above copyright notice and this",)),
    ("X11", (_MIT, "except as contained in this notice"), ()),
    ("BSD-4-Clause", (_BSD, "all advertising materials mentioning"), ()),
    ("BSD-3-Clause", (_BSD, "to endorse or promote products"), ("all advertising materials mentioning",)),
    ("BSD-2-Clause", (_BSD, "in binary form must"), ("to endorse or promote products",)),
    ("ISC", (_ISC, "provided that the above copyright notice"), ()),
    ("0BSD", (f"{_ISC}.",), ("provided that the above copyright notice",)),
    ("Unlicense", ("free and unencumbered software released into the public domain",), ()),
    ("CC0-1.0", ("cc0 1.0 universal",), ()),
    ("CC-BY-4.0", ("attribution 4.0 international",), ()),
    ("CC-BY-SA-4.0", ("attribution-sharealike 4.0 international",), ()),
    ("CC-BY-NC-4.0", ("attribution-noncommercial 4.0 international",), ()),
    ("CC-BY-NC-SA-4.0", ("attribution-noncommercial-sharealike 4.0 international",), ()),
    ("CC-BY-ND-4.0", ("attribution-noderivatives 4.0 international",), ()),
    ("CC-BY-NC-ND-4.0", ("attribution-noncommercial-noderivatives 4.0 international",), ()),
    ("CC-BY-3.0", ("creative commons", "attribution 3.0 unported"), ()),
    ("CC-BY-SA-3.0", ("creative commons", "attribution-sharealike 3.0 unported"), ()),
    ("BSL-1.0", ("boost software license - version 1.0",), ()),
    ("Zlib", ("altered source versions must be plainly marked", "may not be removed or altered from any source"), ()),
    ("WTFPL", ("do what the fuck you want to public license",), ()),
    ("EPL-2.0", ("eclipse public license - v 2.0",), ()),
    ("EPL-1.0", ("eclipse public license - v 1.0",), ()),
    ("PSF-2.0", ("python software foundation license version 2",), ()),
    ("OFL-1.1", ("sil open font license version 1.1",), ()),
    ("Artistic-2.0", ("artistic license 2.0", "the perl foundation"), ()),
    ("EUPL-1.2", ("european union public licence v. 1.2",), ()),
    ("UPL-1.0", ("universal permissive license", "version 1.0"), ()),
    ("NCSA", ("university of illinois/ncsa open source license",), ()),
)
"""Phrases of a license text that identify it: all of the first, none of the second. A file with several texts has all
of these licenses."""


def is_legal(path: str) -> bool:
    """Return whether the file *path* says something about licenses of other files.

    >>> [is_legal(path) for path in ("a/LICENSE-MIT", "COPYING.LESSER", "license_words.py", "LICENSES/MIT.txt")]
    [True, True, False, True]
    """
    name = PurePosixPath(path).name
    if path.startswith("LICENSES/") or path == ".reuse/dep5" or name == "REUSE.toml" or name.endswith(".license"):
        return True
    return _is_license_file(name)


def _is_license_file(name: str) -> bool:
    return _FILE.fullmatch(name) is not None and _CODE.search(name) is None


def license_of_text(text: str) -> str | None:
    """Return the SPDX expression of the license texts in *text*; None if it has no known one.

    >>> license_of_text("This is free and unencumbered software released into the public domain.")
    'Unlicense'
    """
    words = _words(text)
    found = [
        name
        for name, present, absent in _TEXTS
        if all(phrase in words for phrase in present) and not any(phrase in words for phrase in absent)
    ]
    names = sorted(set(found))
    if names:
        return " AND ".join(names)
    return spdx(text) if len(text) < 100 else None


def noticed(text: str) -> str | None:
    """Return the license that a usual notice at the top of a file names; None if it has none.

    >>> noticed("# This is free software under the terms of the GNU General Public License as published by the Free\\n"
    ...         "# Software Foundation; either version 2 of the License, or (at your option) any later version.\\n")
    'GPL-2.0-or-later'
    """
    words = _words(text[:_NOTICE_CHARACTERS])
    if match := _GNU.search(words):
        kind = {"lesser ": "LGPL", "library ": "LGPL", "affero ": "AGPL"}.get(match[1] or "", "GPL")
        number = match[2] if "." in match[2] else f"{match[2]}.0"
        return spdx(f"{kind}-{number}-{'or-later' if match[3] else 'only'}")
    return next((name for name, phrase in _NOTICES if phrase in words), None)


def _words(text: str) -> str:
    """Return the words of *text* in lower case, without the marks of comments at the beginnings of lines."""
    return " ".join(_MARKS.sub(" ", text).lower().split())


def marked(text: str) -> str | None:
    """Return the expression after `SPDX-License-Identifier` at the top of *text*; several are joined by AND.

    >>> marked("/* SPDX-License-Identifier: mit OR Apache-2.0 */"), marked("int x;")
    ('MIT OR Apache-2.0', None)
    """
    found: list[str] = []
    for match in _MARK.finditer(text[:_HEAD_CHARACTERS]):
        line = " ".join(_END.sub("", match[1]).split())
        name = spdx(line) or (line if _EXPRESSION.fullmatch(line) else None)
        if name is not None and name not in found:
            found.append(name)
    if len(found) < 2:
        return found[0] if found else None
    return " AND ".join(f"({name})" if " OR " in name else name for name in found)


class Licenses:
    """The licenses of the files of a tree, from the *texts* of the files that `is_legal` names."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def of(self, path: str, text: str) -> tuple[str, str] | None:
        """Return the license of the file *path* with *text*, and where it stood; None if it is unknown."""
        overriding = self._annotated(path, precedence="override")
        if overriding is not None:
            return overriding
        if name := marked(text):
            return name, "file:SPDX-License-Identifier"
        if (beside := f"{path}.license") in self._texts and (name := marked(self._texts[beside])):
            return name, f"file:{beside}"
        if name := noticed(text):
            return name, "file:notice"
        return self._annotated(path, precedence=None) or self._of_folder(path)

    def _annotated(self, path: str, *, precedence: str | None) -> tuple[str, str] | None:
        for folder in folders_of(path):
            place = f"{folder}/REUSE.toml".lstrip("/")
            inner = path[len(folder) :].lstrip("/")
            for pattern, name, kind in reversed(self._reuse.get(place, ())):
                if (precedence is None or kind == precedence) and pattern.fullmatch(inner):
                    return name, f"file:{place}"
        if precedence is None:
            for pattern, name in reversed(self._dep5):
                if pattern.fullmatch(path):
                    return name, "file:.reuse/dep5"
        return None

    def _of_folder(self, path: str) -> tuple[str, str] | None:
        for folder in folders_of(path):
            if (known := self._by_folder.get(folder)) is not None:
                return known
        return None

    @cached_property
    def _by_folder(self) -> dict[str, tuple[str, str]]:
        """The license of each folder that has a license file, and the path of the file."""
        files: dict[str, list[tuple[str, str]]] = {}
        for path in sorted(self._texts):
            pure = PurePosixPath(path)
            if _is_license_file(pure.name) and not path.startswith("LICENSES/") and not pure.name.endswith(".license"):
                name = marked(self._texts[path]) or license_of_text(self._texts[path])
                if name is not None:
                    files.setdefault("" if str(pure.parent) == "." else str(pure.parent), []).append((name, path))
        found = {folder: _of_files(entries) for folder, entries in files.items()}
        texts = [path for path in self._texts if re.fullmatch(r"LICENSES/[^/]+\.(?:txt|md)", path)]
        if "" not in found and len(texts) == 1:
            found[""] = (PurePosixPath(texts[0]).stem, f"file:{texts[0]}")
        return found

    @cached_property
    def _reuse(self) -> dict[str, list[tuple[re.Pattern[str], str, str]]]:
        found: dict[str, list[tuple[re.Pattern[str], str, str]]] = {}
        for path, text in self._texts.items():
            if PurePosixPath(path).name == "REUSE.toml":
                found[path] = list(_annotations(text))
        return found

    @cached_property
    def _dep5(self) -> list[tuple[re.Pattern[str], str]]:
        found = []
        for paragraph in re.split(r"\n\s*\n", self._texts.get(".reuse/dep5", "")):
            fields = dict(re.findall(r"^(Files|License):[ \t]*((?:.*(?:\n[ \t]+.*)*))", paragraph, re.MULTILINE))
            name = spdx(str(fields.get("License", "")).partition("\n")[0])
            if name is not None:
                # in a machine-readable copyright file, `*` also matches `/`
                found += [(_wide(glob), name) for glob in str(fields.get("Files", "")).split()]
        return found


def _of_files(entries: list[tuple[str, str]]) -> tuple[str, str]:
    """Return the license of a folder with the license files *entries*.

    A file without a suffix is the license of the whole. `LICENSE-MIT` and `LICENSE-APACHE` together leave the choice.
    """
    whole = [entry for entry in entries if _WHOLE.fullmatch(PurePosixPath(entry[1]).name)]
    lesser = [entry for entry in entries if "lesser" in entry[1].lower()]
    chosen = lesser[:1] or whole[:1]
    if chosen:
        return chosen[0][0], f"file:{chosen[0][1]}"
    names = sorted({name for name, _ in entries})
    shown = names if len(names) < 2 else [f"({name})" if " AND " in name else name for name in names]
    return " OR ".join(shown), f"file:{entries[0][1]}"


def _annotations(text: str) -> list[tuple[re.Pattern[str], str, str]]:
    try:
        entries = tomllib.loads(text).get("annotations", [])
    except tomllib.TOMLDecodeError:
        return []
    found = []
    for entry in entries if isinstance(entries, list) else ():
        names = [name for value in _strings(entry.get("SPDX-License-Identifier")) if (name := spdx(value))]
        kind = str(entry.get("precedence", "closest"))
        found += [(_reuse_glob(glob), " AND ".join(names), kind) for glob in _strings(entry.get("path")) if names]
    return found


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str)]


def _reuse_glob(glob: str) -> re.Pattern[str]:
    """Return the expression for a pattern of `REUSE.toml`: `*` without `/`, `**` with it, from the file's folder."""
    return pattern_of(f"/{glob}") if "**" not in glob else _wide(glob.replace("**", "*"))


def _wide(glob: str) -> re.Pattern[str]:
    return re.compile(re.escape(glob).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
