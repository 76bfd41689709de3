"""Which captions are usable: one rule for the configuration, every dataset format and the command line."""

import unicodedata
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

LONGEST = 2_000  # characters of a caption: twice what T5's 226 tokens hold


def storable(text: str) -> bool:
    """Whether a text survives UTF-8 and HDF5: no NUL character, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False


def caption_problem(caption: object) -> str:
    """Why a caption is unusable, in words that begin with `its caption`; empty if it is usable.

    Text in Unicode, of at most LONGEST characters, with a letter or
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


def _usable(caption: Any) -> Any:
    if problem := caption_problem(caption):
        raise ValueError(problem)
    return caption


Caption = Annotated[str, BeforeValidator(_usable), WithJsonSchema({"type": "string", "pattern": r"^[^\x00]+$"})]
"""A caption in the configuration."""
