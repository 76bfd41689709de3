"""Text and nested values of artifacts."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any


def sha256(text: str) -> str:
    """Hex SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def shuffled(names: Iterable[str], *seed: object, separator: str = "\0") -> list[str]:
    """The names sorted by the SHA-256 of `seed...name`, separated: apparently random, and the same everywhere."""
    return sorted(names, key=lambda name: sha256(separator.join([*map(str, seed), name])))


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested values under dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return found
