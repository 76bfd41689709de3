"""Load a configuration, or name each mistake in it with file, line, location, value, and what is allowed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fca.config.compose import compose
from fca.config.lookup import choices_at, meaning, settings_at
from fca.config.models import Config
from fca.config.settings import BaseKind
from fca.config.shipped import network_folder
from fca.config.yaml_file import ConfigError, Location, Origin, kind
from fca.errors import FcaError, did_you_mean


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
        raise _explained(error, composed.origins) from None


def check_networks(config: Config, origins: Mapping[Location, Origin], kind: BaseKind) -> None:
    """Check that the networks of `base` or `image_base` are folders, or names on the hub.

    Raises:
        ConfigError: a name can only be a folder and there is none.
    """
    group, base = "base" if kind == "text" else "image_base", config.base_called(kind)
    found = []
    for name in ("model", "vision_model"):
        try:
            network_folder(getattr(base, name))
        except FcaError as error:
            error.problem = f"{_origin_of((group, name), origins)}: {group}.{name}: {error.problem}"
            found.append(error)
    if found:
        raise ConfigError("\n".join(error.problem for error in found), found[0].expected, found[0].remedy)


def _explained(error: ValidationError, origins: Mapping[Location, Origin]) -> ConfigError:
    """All mistakes at once, unknown keys first."""
    details = sorted(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
    found = [_mistake(item, origins) for item in details]
    return ConfigError("\n".join(found), remedy="config/README.md describes every setting")


def _mistake(details: Any, origins: Mapping[Location, Origin]) -> str:
    location = tuple(str(item) for item in details["loc"] if item != "[key]")
    origin = _origin_of(location, origins)
    shown = ".".join(location[origin.depth :])
    value, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            known = list(settings_at(location[:-1]))
            close = did_you_mean(location[-1], known)
            return f"{origin}: {shown}: unknown key{close}; known keys here: {', '.join(known)}"
        case "missing":
            return f"{origin}: {shown}: is missing{meaning(location)}"
        case "literal_error":
            allowed = choices_at(location)
            close = did_you_mean(str(value), allowed)
            return f"{origin}: {shown}: {value!r} isn't allowed{close}; allowed: {', '.join(allowed)}"
        case "value_error":
            return f"{origin}: {shown + ': ' if shown else ''}{context['error']}"
        case "model_type":
            problem = "must be a mapping"
        case _:
            problem = details["msg"].replace("Input should", "must")
    return f"{origin}: {shown}: {problem}, but it is {value!r} ({kind(value)}){meaning(location)}"


def _origin_of(location: Location, origins: Mapping[Location, Origin]) -> Origin:
    """Where a setting, or the nearest group around it, was set."""
    while location not in origins:
        location = location[:-1]
    return origins[location]
