"""The stages, in the order in which records usually meet them: a name in a recipe, and where its code lives.

Strings, so that reading the table imports nothing. Other distributions add lines through the entry-point group
`corpusmill.stages`.
"""

from __future__ import annotations

from typing import Final

STAGES: Final = {
    "extract": "pipelines.stages.extract:Extract",
    "site_boilerplate": "pipelines.stages.site_boilerplate.stage:SiteBoilerplate",
    "normalize": "pipelines.stages.normalize:Normalize",
    "language": "pipelines.stages.language:Language",
    "quality": "pipelines.stages.quality:Quality",
    "pii": "pipelines.stages.pii:Pii",
    "exact_dedup": "pipelines.stages.dedup.exact:ExactDedup",
    "near_dedup": "pipelines.stages.dedup.near:NearDedup",
    "stop_words": "pipelines.stages.linguistics.stop_words:StopWords",
    "stem": "pipelines.stages.linguistics.stem:Stem",
    "lemmatize": "pipelines.stages.linguistics.lemmatize:Lemmatize",
}
ENTRY_POINTS: Final = "corpusmill.stages"
