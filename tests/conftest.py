"""What all tests share: no deadline for generated cases, because machines that run tests are busy ones."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("corpusmill", deadline=None)
settings.load_profile("corpusmill")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name packed bytes by their length: gzip writes the time into them, and all workers have to find equal names."""
    if isinstance(val, bytes) and val.startswith(b"\x1f\x8b"):
        return f"{len(val)} packed bytes"
    return None
