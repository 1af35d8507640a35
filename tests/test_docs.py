"""The documentation says what the code does, and its links lead somewhere."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.registry import STAGES

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """`docs/generate.py`, which is a script and no module of a package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_reference_is_up_to_date(generator: ModuleType) -> None:
    """A parameter that is missing in the reference does not exist for its reader; `make docs` writes it."""
    outdated = [
        name
        for name, text in generator.pages().items()
        if not (path := generator.REFERENCE / name).exists() or path.read_text(encoding="utf-8") != text
    ]

    assert outdated == []


def test_every_stage_and_format_has_a_section_with_words_in_it() -> None:
    """A stage without a docstring would have an empty one."""
    for page, names in {"stages.md": STAGES, "formats.md": LOADERS}.items():
        text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
        for name in names:
            section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
            assert len(section.split()) > 10, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A reader who is sent away should arrive."""
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_leads_to_every_page() -> None:
    """A page that nobody finds helps nobody; decisions are found by their folder."""
    index = ROOT / "docs" / "README.md"
    reached = {index.resolve(), *(ROOT / "docs" / "decisions").resolve().rglob("*.md")}
    reached |= {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}

    assert [page.name for page in (ROOT / "docs").resolve().rglob("*.md") if page not in reached] == []
