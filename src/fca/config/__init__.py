"""The configuration: models, file names and loading. Imports without torch."""

from fca.config.dataset import Dataset, SplitSettings, Tabletop
from fca.config.layout import Layout
from fca.config.load import load
from fca.config.models import Base, Config
from fca.config.settings import BaseKind, SampleKind, Split
from fca.config.variant import Variant
from fca.config.yaml_file import ConfigError

__all__ = [
    "Base",
    "BaseKind",
    "Config",
    "ConfigError",
    "Dataset",
    "Layout",
    "SampleKind",
    "Split",
    "SplitSettings",
    "Tabletop",
    "Variant",
    "load",
]
