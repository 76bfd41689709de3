"""How numbers and lists are written for people."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


def signed(text: str) -> str:
    """A number's text with a real minus sign."""
    return text.replace("-", MINUS)


def significant(value: float) -> str:
    """Three significant digits, without powers of ten for ordinary magnitudes: 1234, 12.3, 0.00123."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return signed(f"{value:.{digits}f}" if digits <= 6 else f"{value:.2e}")


def percent(value: float) -> str:
    """A share as a whole percentage."""
    return signed(f"{100 * value:.0f}\N{NARROW NO-BREAK SPACE}%")


def join(parts: Sequence[str]) -> str:
    """A list in words."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def counts(values: set[int]) -> str:
    """Different counts of the same thing: `48`, or `47 or 48`."""
    return " or ".join(f"{value:,}" for value in sorted(values))


def shared_protocols(protocols: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, Sequence[tuple[str, str]]]]:
    """Protocols by title, as titles and the settings that they share."""
    shared: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for title, protocol in protocols:
        shared.setdefault(tuple((key, _in_words(value)) for key, value in protocol.items()), []).append(title)
    return [(", ".join(titles), items) for items, titles in shared.items() if items]


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_in_words(entry)}" for key, entry in value.items())
    return ", ".join(map(_in_words, value)) if isinstance(value, list) else str(value)
