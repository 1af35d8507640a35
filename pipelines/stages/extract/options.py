"""The options of extraction, validated when the recipe is read."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from corpusmill.schemas.selectors import Selector

Favor: TypeAlias = Literal["precision", "balanced", "recall"]
Keep: TypeAlias = Literal["comments", "tables", "code", "links", "alt_text"]


def _in_order(keep: tuple[Keep, ...]) -> tuple[Keep, ...]:
    """Return each of *keep* once, in the order of the list above, so that equal options have equal values."""
    return tuple(name for name in get_args(Keep) if name in keep)


def _is_host(host: str) -> str:
    if host != host.lower() or not host or set(host) & set("/:@ ?#*"):
        raise ValueError("not a host name in lower case, without scheme, port or path")
    return host


Host: TypeAlias = Annotated[str, AfterValidator(_is_host)]


class Selectors(BaseModel):
    """CSS selectors of the elements to keep and of those to remove."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    select: tuple[Selector, ...] = Field(
        default=(),
        description="Elements that hold the content: only their content is kept. Ignored on pages without a match.",
        examples=[["article"]],
    )
    drop: tuple[Selector, ...] = Field(default=(), description="Elements to remove first.", examples=[[".related"]])

    def __bool__(self) -> bool:
        return bool(self.select or self.drop)


class Options(Selectors):
    """How a page is read. The fields are shared by `Extract` and `extract_page`."""

    favor: Favor = Field(
        default="balanced",
        description="`precision` keeps less text that is not content, `recall` loses less content.",
    )
    keep: Annotated[tuple[Keep, ...], AfterValidator(_in_order)] = Field(
        default=("tables", "code"),
        description="Parts to keep besides the prose. `comments`: readers' comments; `tables`: rows of data tables; "
        "`code`: preformatted blocks; `links`: addresses, as `[text](https://…)`; `alt_text`: alternative texts of "
        "images, in brackets. Other parts are dropped, except for the text of links.",
    )
    sites: dict[Host, Selectors] = Field(
        default_factory=dict,
        description="Selectors for a host and its subdomains; the longest matching name is used. Its `select` "
        "replaces the general one if set, its `drop` is added.",
        examples=[{"example.org": {"select": ["article"]}}],
    )

    def selectors_for(self, url: str | None) -> Selectors:
        """Return the selectors for the page at *url*.

        >>> options = Options(drop=(".ad",), sites={"example.org": Selectors(select=("main",))})
        >>> options.selectors_for("https://docs.example.org/a")
        Selectors(select=('main',), drop=('.ad',))
        """
        site = self._site(_host(url)) if self.sites and url else None
        if site is None:
            return Selectors.model_construct(select=self.select, drop=self.drop)
        return Selectors.model_construct(select=site.select or self.select, drop=self.drop + site.drop)

    def of_source(self, selectors: Selectors) -> Options:
        """Return the options for a source with its own *selectors*, which hold for all of its sites.

        Its `select` replaces all others if set; its `drop` is added.

        >>> options = Options(drop=(".ad",), sites={"example.org": Selectors(select=("main",))})
        >>> options.of_source(Selectors(select=("article",))).selectors_for("https://example.org/")
        Selectors(select=('article',), drop=('.ad',))
        """
        if not selectors:
            return self
        select = selectors.select or self.select
        sites = {
            host: Selectors.model_construct(select=selectors.select or site.select, drop=site.drop)
            for host, site in self.sites.items()
        }
        return self.model_copy(update={"select": select, "drop": self.drop + selectors.drop, "sites": sites})

    def _site(self, host: str) -> Selectors | None:
        labels = host.split(".")
        names = (".".join(labels[index:]) for index in range(len(labels)))
        return next((self.sites[name] for name in names if name in self.sites), None)


def _host(url: str | None) -> str:
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:  # such as http://[bad
        return ""
