"""The stages, in the order in which records usually meet them: a name in a recipe, and where its code lives.

Strings, so that reading the table imports nothing. Other distributions add lines through the entry-point group
`corpusmill.stages`.
"""

from __future__ import annotations

from typing import Final

STAGES: Final = {
    "extract": "corpusmill.pipelines.stages.extract:Extract",
    "site_boilerplate": "corpusmill.pipelines.stages.site_boilerplate.stage:SiteBoilerplate",
    "normalize": "corpusmill.pipelines.stages.normalize:Normalize",
    "language": "corpusmill.pipelines.stages.language:Language",
    "quality": "corpusmill.pipelines.stages.quality:Quality",
    "pii": "corpusmill.pipelines.stages.pii:Pii",
    "exact_dedup": "corpusmill.pipelines.stages.dedup.exact:ExactDedup",
    "near_dedup": "corpusmill.pipelines.stages.dedup.near:NearDedup",
    "stop_words": "corpusmill.pipelines.stages.linguistics.stop_words:StopWords",
    "stem": "corpusmill.pipelines.stages.linguistics.stem:Stem",
    "lemmatize": "corpusmill.pipelines.stages.linguistics.lemmatize:Lemmatize",
}
ENTRY_POINTS: Final = "corpusmill.stages"
