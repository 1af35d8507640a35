"""The configuration of a training run: strict models, read from YAML with the line of every problem."""

from corpusmill.training.config.batch import BatchConfig
from corpusmill.training.config.data import CurriculumConfig, DataConfig, MixtureConfig, PhaseConfig, VersionConfig
from corpusmill.training.config.model import ModelConfig
from corpusmill.training.config.objective import ObjectiveConfig
from corpusmill.training.config.optimizer import OptimizerConfig
from corpusmill.training.config.reading import config_yaml, load_config, parse_config
from corpusmill.training.config.schedule import ScheduleConfig
from corpusmill.training.config.tokenizer import TokenizerConfig
from corpusmill.training.config.train import HARMLESS, TrainConfig

__all__ = [
    "HARMLESS",
    "BatchConfig",
    "CurriculumConfig",
    "DataConfig",
    "MixtureConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "OptimizerConfig",
    "PhaseConfig",
    "ScheduleConfig",
    "TokenizerConfig",
    "TrainConfig",
    "VersionConfig",
    "config_yaml",
    "load_config",
    "parse_config",
]
