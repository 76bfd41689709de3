"""Read one YAML file, and remember the line of every value."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fca.errors import FcaError, first_line

Location = tuple[str, ...]
"""The keys that lead to a setting, the outermost first."""


class ConfigError(FcaError):
    """A configuration that can't be used."""

    exit_status = 2


@dataclass(frozen=True)
class Origin:
    """Where a value was set."""

    file: str
    line: int | None = None
    depth: int = 0
    """Number of keys at the start of the setting's location that aren't in the file: 2 in a variant's own file."""

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}, line {self.line}"


@dataclass(frozen=True)
class Layer:
    """Nested settings, and the origin of each by its location; the origin of () is the file itself."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Location, Origin] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """YAML as people write it: safe, no duplicate keys, and 1e-3 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if key in seen:
                raise ConfigError(
                    f"{node.start_mark.name}, line {line}: the key {key!r} is already in line {seen[key]}",
                    remedy="keep one of the two",
                )
            seen[key] = line
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def read(path: Path, inside: Location = ()) -> Layer:
    """Read a YAML file whose settings are those below the location `inside`.

    Raises:
        ConfigError: the file doesn't exist, isn't valid YAML or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        found = sorted(str(other) for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such file", f"one of {', '.join(found)}" if found else "") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from None

    try:
        loader = _Loader(text)
        loader.name = str(path)
        node = loader.get_single_node()
        values = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise ConfigError(f"{position}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds {kind(values)}", "a mapping of settings; config/README.md lists them")

    lines = {(): None, **dict(_lines(node))}
    origins = {(*inside, *keys): Origin(str(path), line, len(inside)) for keys, line in lines.items()}
    return Layer(values, origins)


def _lines(node: yaml.Node, above: Location = ()) -> Iterator[tuple[Location, int]]:
    children: list[tuple[str, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(str(number), value, value) for number, value in enumerate(node.value)]
    for name, marked, value in children:
        yield (*above, name), marked.start_mark.line + 1
        yield from _lines(value, (*above, name))


def overrides_layer(overrides: Mapping[str, Any]) -> Layer:
    """Settings from a command line, which are all text: text is read as YAML.

    Raises:
        ConfigError: a text isn't valid YAML.
    """
    origin = Origin("overrides (--config)")
    origins: dict[Location, Origin] = {}

    def parsed(value: Any, location: Location) -> Any:
        if location:
            origins[location] = origin
        if isinstance(value, str):
            try:
                value = yaml.load(value, _Loader)
            except yaml.YAMLError as error:
                problem = f"{value[:100]!r} is not valid YAML ({first_line(error)})"
                raise ConfigError(f"{origin}: {'.'.join(location)}: {problem}") from None
        if isinstance(value, Mapping):
            return {key: parsed(below, (*location, str(key))) for key, below in value.items()}
        if isinstance(value, list | tuple):
            return [parsed(below, (*location, str(number))) for number, below in enumerate(value)]
        return value

    return Layer(parsed(overrides, ()), origins)


def kind(value: Any) -> str:
    """What a value is, in words."""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return "nothing" if value is None else names.get(type(value), "a mapping" if isinstance(value, Mapping) else "")
