"""Order by hash: a pure function of names, identical in Python and in the page (templates/order.js)."""

import hashlib
from collections.abc import Iterable, Mapping


def sha256(text: str) -> str:
    """Hex SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def shuffled(names: Iterable[str], *seed: str) -> list[str]:
    """The names sorted by the SHA-256 of `seed|...|name`: apparently random, and the same everywhere."""
    return sorted(names, key=lambda name: sha256("|".join([*seed, name])))


def participant_order(seed: str, participant: str, clips: Mapping[str, Iterable[str]]) -> list[tuple[str, list[str]]]:
    """A participant's clips in order, each with its items from left to right.

    `clips` maps the id of a clip to the ids of its items, as the page does.
    """
    return [(clip, shuffled(clips[clip], seed, participant, clip)) for clip in shuffled(clips, seed, participant)]
