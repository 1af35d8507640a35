"""The section `model` of a training configuration."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field, model_validator

from corpusmill.schemas.problems import HintedValueError
from corpusmill.training.config.fields import NamedFields

ModelName = Literal["llama", "gpt", "rnn", "lstm", "gru", "bert"]

TRANSFORMERS: Final = ("llama", "gpt", "bert")
RECURRENT: Final = ("rnn", "lstm", "gru")


class ModelConfig(NamedFields):
    """The architecture and its size. [Architectures](../concepts/architectures.md) compares them.

    `llama` (Touvron et al. 2023, arXiv:2302.13971), `gpt` (GPT-2, Radford et al. 2019), `rnn` (Elman 1990,
    doi:10.1207/s15516709cog1402_1), `lstm` (Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735) and `gru`
    (Cho et al. 2014, arXiv:1406.1078) predict the next token; `bert` (Devlin et al. 2019, arXiv:1810.04805) predicts
    masked tokens.
    """

    ONLY_OF: ClassVar[dict[str, tuple[str, ...]]] = {
        "heads": TRANSFORMERS,
        "kv_heads": ("llama",),
        "feed_forward": TRANSFORMERS,
        "qk_norm": ("llama",),
        "rope_base": ("llama",),
        "embedding_width": RECURRENT,
    }

    name: ModelName = Field(default="llama", description="Architecture.")
    layers: int = Field(default=4, ge=1, le=1000, description="Layers.")
    heads: int = Field(
        default=4, ge=1, le=1000, description="Heads of attention in each layer; of `llama`, `gpt` and `bert`."
    )
    width: int = Field(default=128, ge=2, le=100_000, description="Numbers in a token's vector.")
    sequence_length: int = Field(default=256, ge=1, le=1_000_000, description="Tokens that the model sees at once.")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Probability with which a number is set to 0 in training."
    )
    tie_weights: bool = Field(default=True, description="Use one matrix for the embedding and the output.")
    separate_documents: bool = Field(
        default=False,
        description="Separate the documents of a sequence: attention stays within a document, whose positions start "
        "at 0; the state of a recurrent model is reset. false: a document sees those before it.",
    )
    kv_heads: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Heads of keys and values, each shared by a group of `heads`; null: `heads`. Of `llama`.",
        examples=[2],
    )
    feed_forward: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Width within the feed-forward network; null: 4 times `width`, with `llama` 8/3 times `width`, "
        "rounded up to a multiple of 8. Of `llama`, `gpt` and `bert`.",
        examples=[512],
    )
    qk_norm: bool = Field(
        default=False,
        description="Normalize queries and keys (Henry et al. 2020, arXiv:2010.04245), which allows higher learning "
        "rates. Of `llama`.",
    )
    rope_base: float = Field(
        default=10_000.0, gt=1, le=1e9, description="Base of the wavelengths of rotary positions. Of `llama`."
    )
    embedding_width: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Numbers in the vector of a token before the first layer, to which the output of the last layer "
        "is projected; null: `width`, without projection. Of `rnn`, `lstm` and `gru`.",
        examples=[64],
    )

    @model_validator(mode="after")
    def _whole_heads(self) -> ModelConfig:
        if self.name not in TRANSFORMERS:
            return self
        rotary = self.name == "llama"
        step = self.heads * (2 if rotary else 1)
        if self.width % step:
            problem = (
                f"`width` {self.width} has to be `heads` {self.heads} times an even number: "
                "rotary positions turn pairs of numbers"
                if rotary
                else f"`width` {self.width} has to be a multiple of `heads` {self.heads}"
            )
            raise HintedValueError(problem, hint=f"use `width: {max(1, round(self.width / step)) * step}`")
        return self

    @model_validator(mode="after")
    def _whole_groups(self) -> ModelConfig:
        if self.kv_heads is not None and self.heads % self.kv_heads:
            divisors = [number for number in range(1, self.heads + 1) if self.heads % number == 0]
            nearest = min(divisors, key=lambda number: abs(number - self.kv_heads_used))
            raise HintedValueError(
                f"`heads` {self.heads} cannot be shared equally by `kv_heads` {self.kv_heads}",
                hint=f"use `kv_heads: {nearest}`",
            )
        return self

    @property
    def kv_heads_used(self) -> int:
        """Heads of keys and values."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def feed_forward_used(self) -> int:
        """Width within the feed-forward network."""
        if self.feed_forward is not None:
            return self.feed_forward
        return -(-8 * self.width // 24) * 8 if self.name == "llama" else 4 * self.width

    @property
    def embedding_width_used(self) -> int:
        """Numbers in the vector of a token before the first layer."""
        return self.width if self.embedding_width is None else self.embedding_width

    @property
    def objective(self) -> Literal["next_token", "masked"]:
        """What the model is trained to predict."""
        return "masked" if self.name == "bert" else "next_token"
