"""Text and nested values of artifacts."""

from collections.abc import Mapping
from typing import Any


def storable(text: str) -> bool:
    """Whether a text survives UTF-8 and HDF5: no NUL character, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested values under dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return found
