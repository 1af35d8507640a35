"""The role of a URL in the queue: a page, or a listing (a sitemap or a feed) whose entries are queued.

The key of a listing is its canonical URL with the role as a fragment, which canonical URLs never have. So the queue
keeps the file apart from a page at the same address, and its order, its durability and its budgets hold for both.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

ListingRole: TypeAlias = Literal["sitemap", "feed"]
_ROLES: Final[tuple[ListingRole, ...]] = ("sitemap", "feed")


def listing_key(canonical: str, role: ListingRole) -> str:
    """Return the key of the listing at the URL *canonical*.

    >>> listing_key("https://example.org/sitemap.xml", "sitemap")
    'https://example.org/sitemap.xml#sitemap'
    """
    return f"{canonical}#{role}"


def listing_role(key: str) -> ListingRole | None:
    """Return the role of the URL with this *key*; None for a page.

    >>> listing_role("https://example.org/feed#feed"), listing_role("https://example.org/feed")
    ('feed', None)
    """
    return next((role for role in _ROLES if key.endswith(f"#{role}")), None)


def address_of(key: str) -> str:
    """Return the canonical URL in *key*.

    >>> address_of("https://example.org/feed#feed"), address_of("https://example.org/feed")
    ('https://example.org/feed', 'https://example.org/feed')
    """
    return key.partition("#")[0]
