"""The configuration: models, file names, loading, and what each step depends on. Imports without torch."""

from fca.config.layout import Layout
from fca.config.load import ConfigError, load
from fca.config.models import Base, BaseKind, Config, Dataset, SampleKind, Split, SplitSettings, Tabletop, Variant
from fca.config.parts import STEPS, part

__all__ = [
    "STEPS",
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
    "part",
]
