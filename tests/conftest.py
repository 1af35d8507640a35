"""What all tests share: no deadline for generated cases, because machines that run tests are busy ones."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("corpusmill", deadline=None)
settings.load_profile("corpusmill")
