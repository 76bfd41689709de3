"""Load a configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fca.config.compose import compose
from fca.config.explain import explained
from fca.config.models import Config
from fca.config.yaml_file import Location, Origin


def load(files: str | Path | Sequence[str | Path], overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration in a YAML file, or in several merged in order, with `overrides` (nested) put over it.

    Text in overrides is read as YAML, since values that come from a command line are all text.

    Raises:
        ConfigError: the configuration can't be used; the message names file and line of every mistake.
    """
    return load_with_origins(files, overrides)[0]


def load_with_origins(
    files: str | Path | Sequence[str | Path], overrides: Mapping[str, Any] | None = None
) -> tuple[Config, dict[Location, Origin]]:
    """The configuration, and the origin of every setting that isn't a default.

    Raises:
        ConfigError: as `load`.
    """
    files = [files] if isinstance(files, str | Path) else files
    composed = compose([Path(file) for file in files], overrides or {})
    try:
        return Config.model_validate(composed.values), composed.origins
    except ValidationError as error:
        raise explained(error, composed.origins) from None
