"""Text and nested values of artifacts."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST = 2_000  # characters of a caption: twice what T5's 226 tokens hold


def storable(text: str) -> bool:
    """Whether a text survives UTF-8 and HDF5: no NUL character, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False


def caption_problem(caption: object) -> str:
    """Why a caption is unusable, in words that begin with `its caption`; empty if it is usable.

    One rule for every format and the command line: text in Unicode, of at most LONGEST characters, with a letter or
    digit, and without control characters other than white space.
    """
    if not isinstance(caption, str):
        return "its caption is null" if caption is None else f"its caption is not a text: {repr(caption)[:100]}"
    if len(caption) > LONGEST:
        return f"its caption has {len(caption):,} characters, more than {LONGEST:,}"
    if not caption.strip():
        return "its caption is empty"
    for letter in caption:
        if unicodedata.category(letter) == "Cc" and not letter.isspace():
            return f"its caption has the control character U+{ord(letter):04X}"
    if not storable(caption):
        return f"its caption is not valid text: {caption[:100]!r}"
    return "" if any(map(str.isalnum, caption)) else f"its caption has neither letter nor digit: {caption[:100]!r}"


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
