"""The configuration: models, file names and loading. Imports without torch."""

from fca.config.dataset import Dataset, Library
from fca.config.layout import Layout
from fca.config.load import load
from fca.config.models import Base, Config
from fca.config.settings import BaseKind, SampleKind
from fca.config.yaml_file import ConfigError

__all__ = ["Base", "BaseKind", "Config", "ConfigError", "Dataset", "Layout", "Library", "SampleKind", "load"]
