"""The table of stages: their names in a recipe, and their classes, in the order in which recipes usually have them.

Values are strings, so that reading the table imports nothing. Other distributions add stages through the entry-point
group `corpusmill.stages`.
"""

from __future__ import annotations

import re
from typing import Final

STAGES: Final = {
    "extract": "corpusmill.pipelines.stages.extract:Extract",
    "site_boilerplate": "corpusmill.pipelines.stages.site_boilerplate.stage:SiteBoilerplate",
    "normalize": "corpusmill.pipelines.stages.normalize:Normalize",
    "language": "corpusmill.pipelines.stages.language:Language",
    "quality": "corpusmill.pipelines.stages.quality:Quality",
    "deidentify": "corpusmill.pipelines.stages.deidentify.stage:Deidentify",
    "pii": "corpusmill.pipelines.stages.pii:Pii",
    "url_dedup": "corpusmill.pipelines.stages.dedup.urls:UrlDedup",
    "decontaminate": "corpusmill.pipelines.stages.decontaminate.stage:Decontaminate",
    "exact_dedup": "corpusmill.pipelines.stages.dedup.exact:ExactDedup",
    "normalized_dedup": "corpusmill.pipelines.stages.dedup.normalized:NormalizedDedup",
    "paragraph_dedup": "corpusmill.pipelines.stages.dedup.pieces.stage:ParagraphDedup",
    "line_dedup": "corpusmill.pipelines.stages.dedup.pieces.stage:LineDedup",
    "repetition_dedup": "corpusmill.pipelines.stages.dedup.pieces.repetition:RepetitionDedup",
    "near_dedup": "corpusmill.pipelines.stages.dedup.near:NearDedup",
    "semantic_dedup": "corpusmill.pipelines.stages.dedup.semantic.stage:SemanticDedup",
    "substring_dedup": "corpusmill.pipelines.stages.dedup.substrings.stage:SubstringDedup",
    "stop_words": "corpusmill.pipelines.stages.linguistics.stop_words:StopWords",
    "stem": "corpusmill.pipelines.stages.linguistics.stem:Stem",
    "lemmatize": "corpusmill.pipelines.stages.linguistics.lemmatize:Lemmatize",
}
ENTRY_POINTS: Final = "corpusmill.stages"
STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""Steps of a stage have a dot in their name, and steps of the engine begin with a colon, so stages may do neither."""
RESERVED_STAGES: Final = frozenset(("read", "optouts", "crawl", "identity"))
"""Names of stages in the ledger that every recipe has."""
STAGE_NAME_HINT: Final = (
    "rename its entry point: lower-case letters, digits and `_`, a letter first; `read`, `optouts`, "
    "`crawl` and `identity` are reserved"
)
