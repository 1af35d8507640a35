"""The documentation matches the code, and its links work."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from corpusmill.crawlers.load import loader_of
from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.recipes.reading import load_recipe
from corpusmill.pipelines.registry import STAGES
from corpusmill.schemas.recipe import LoadSource

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """Return `docs/generate.py` as a module; it is a script outside the packages."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_reference_is_up_to_date(generator: ModuleType) -> None:
    """Readers need every parameter in the reference; `make docs` updates it."""
    outdated = [
        name
        for name, text in generator.pages().items()
        if not (path := generator.REFERENCE / name).exists() or path.read_text(encoding="utf-8") != text
    ]

    assert outdated == []


def test_every_stage_and_format_has_a_section_with_words_in_it() -> None:
    """A stage without a docstring would have an empty section."""
    for page, names in {"stages.md": STAGES, "formats.md": LOADERS}.items():
        text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
        for name in names:
            section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
            assert len(section.split()) > 10, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_work(page: Path) -> None:
    """A broken link is a dead end for the reader."""
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []


LOADING = sorted((ROOT / "docs" / "how-to").glob("load-*.md"))
BESIDE = re.compile(r"^```toml\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPE = re.compile(r"^```yaml[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", LOADING, ids=lambda page: page.stem)
def test_the_recipes_of_the_pages_on_formats_are_valid(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers copy them. Most pages show only the sources, which are completed here; the files need not exist."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://reader@127.0.0.1/tickets")
    monkeypatch.setenv("CORPUSMILL_PSEUDONYM_KEY", "k" * 64)
    recipes = RECIPE.findall(page.read_text(encoding="utf-8"))
    assert recipes
    for name, content in BESIDE.findall(page.read_text(encoding="utf-8")):
        (tmp_path / name).write_text(content, encoding="utf-8")

    for number, recipe in enumerate(recipes):
        path = tmp_path / f"{number}.yaml"
        whole = recipe if "sources:" in recipe else f"sources:\n{recipe}"
        whole = whole if "dataset:" in whole else f"dataset: d\n{whole}"
        path.write_text(whole if "stages:" in whole else f"{whole}stages: [extract]\n", encoding="utf-8")
        loaded = load_recipe(path, loaders=LOADERS, check_inputs=False)

        assert [loader_of(source).version for source in loaded.recipe.sources if isinstance(source, LoadSource)]


def test_the_index_leads_to_every_page() -> None:
    """Pages must be reachable from the index; decisions are reachable through their folder."""
    index = ROOT / "docs" / "README.md"
    reached = {index.resolve(), *(ROOT / "docs" / "decisions").resolve().rglob("*.md")}
    reached |= {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}

    assert [page.name for page in (ROOT / "docs").resolve().rglob("*.md") if page not in reached] == []
