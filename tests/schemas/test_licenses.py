"""Names and addresses of licenses become SPDX expressions, wherever they were read."""

from __future__ import annotations

import pytest

from corpusmill.schemas.licenses import spdx


@pytest.mark.parametrize("scheme", ["", "http://", "https://", "//", "https://www."])
@pytest.mark.parametrize("ending", ["", "/", "/deed.de", "/legalcode", "/?ref=chooser", "/deed.en#x"])
@pytest.mark.parametrize(
    ("path", "identifier"),
    [
        ("publicdomain/zero/1.0", "CC0-1.0"),
        ("publicdomain/mark/1.0", "CC-PDM-1.0"),
        ("licenses/by-sa/4.0", "CC-BY-SA-4.0"),
        ("licenses/by/2.5", "CC-BY-2.5"),
        ("licenses/by-nd-nc/1.0", "CC-BY-NC-ND-1.0"),
        ("licenses/by-sa/3.0/de", "CC-BY-SA-3.0-DE"),
        ("licenses/by-sa/3.0/fr", "LicenseRef-CC-BY-SA-3.0-FR"),
    ],
)
def test_every_spelling_of_an_address_of_creative_commons_is_known(
    scheme: str, path: str, ending: str, identifier: str
) -> None:
    """Pages, front matter and records write the same license with and without scheme, slash and language."""
    address = f"{scheme}creativecommons.org/{path}{ending}"

    assert spdx(address) == spdx(address.upper().replace("DEED", "deed")) == identifier


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("CC BY-NC-ND 3.0", "CC-BY-NC-ND-3.0"),
        ("Creative Commons Attribution-ShareAlike 4.0 International License", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivs 3.0 Unported", "CC-BY-NC-ND-3.0"),
        ("CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)", "CC-BY-4.0"),
        ("https://spdx.org/licenses/MPL-2.0.html", "MPL-2.0"),
        ("https://opensource.org/license/mit/", "MIT"),
        ("https://opensource.org/licenses/BSD-3-Clause", "BSD-3-Clause"),
        ("http://www.apache.org/licenses/LICENSE-2.0.html", "Apache-2.0"),
    ],
)
def test_names_and_other_addresses_are_known(name: str, identifier: str) -> None:
    """The list of SPDX, and what people write for it."""
    assert spdx(name) == identifier


@pytest.mark.parametrize(
    "name",
    [
        "",
        "all rights reserved",
        "CC BY-SA-ND 4.0",
        "https://creativecommons.org/licenses/by-sa-nd/4.0/",
        "https://creativecommons.org/publicdomain/zero/1.05",
        "https://creativecommons.org/licenses/by/4.0/ or https://creativecommons.org/licenses/by-nc/4.0/",
        "https://example.org/licenses/MIT",
        "MIT AND " * 100 + "Zlib",
    ],
)
def test_what_is_no_license_or_several_is_not_guessed(name: str) -> None:
    """A wrong license is worse than none."""
    assert spdx(name) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GPL-2.0-only WITH classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("Apache-2.0 with LLVM-exception OR MIT", "Apache-2.0 WITH LLVM-exception OR MIT"),
        ("MIT with restrictions", None),
        ("Apache-2.0 with Commons-Clause", None),
        ("CC-BY-4.0 with NonCommercial", None),
        ("MIT with and", None),
        ("MIT WITH (MIT)", None),
        ("Not licensed under https://opensource.org/licenses/MIT", None),
        ("Licensed under https://opensource.org/licenses/MIT", "MIT"),
    ],
)
def test_no_license_is_invented(text: str, expected: str | None) -> None:
    """Whoever filters by license would train on texts that do not have it."""
    assert spdx(text) == expected
