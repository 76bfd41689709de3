"""Show a resolved configuration, each setting with its origin."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from fca.config.load import load_with_origins
from fca.config.yaml_file import Location, Origin

COLUMN = 60
"""Comments stand in this column at most, or directly after a longer line."""


def show(files: str | Path | Sequence[str | Path], overrides: Mapping[str, Any] | None = None) -> str:
    """The resolved settings as YAML, with the origin of each as a comment: FILE:LINE, `override` or `default`.

    The text loads as a configuration and equals the original.

    Raises:
        ConfigError: as `load`.
    """
    config, origins = load_with_origins(files, overrides)
    lines = list(_lines(config, (), origins))
    column = min(COLUMN, max(len(text) for text, origin in lines if origin))
    return "".join(f"{text:{column}}  # {origin}\n" if origin else f"{text}\n" for text, origin in lines)


def _lines(group: Any, location: Location, origins: Mapping[Location, Origin]) -> Iterator[tuple[str, str]]:
    """Every line, and the origin of its value; none on the first line of a group."""
    for name, value in group.items() if isinstance(group, dict) else group:
        here, start = (*location, name), f"{'  ' * len(location)}{_flow(name)}:"
        if isinstance(value, BaseModel | dict) and value:
            yield start, ""
            yield from _lines(value, here, origins)
        else:
            yield f"{start} {_flow(value)}", _origin(here, origins)


def _origin(location: Location, origins: Mapping[Location, Origin]) -> str:
    origin = origins.get(location)
    if origin is None:
        return "default"
    return "override" if origin.line is None else f"{origin.file}:{origin.line}"


def _flow(value: Any) -> str:
    """A value on one line."""
    value = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("...\n").strip()
