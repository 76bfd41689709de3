"""Order by hash: a pure function of names, the same in Python and in the page (templates/order.js)."""

import hashlib
from collections.abc import Iterable, Mapping


def sha256(text: str) -> str:
    """Hex SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def shuffled(names: Iterable[str], *seed: str) -> list[str]:
    """The names sorted by the SHA-256 of `seed|...|name`: to the eye at random, and the same wherever it is made."""
    return sorted(names, key=lambda name: sha256("|".join([*seed, name])))


def participant_order(seed: str, participant: str, clips: Mapping[str, Iterable[str]]) -> list[tuple[str, list[str]]]:
    """What a participant sees: clips in order, and the items of each from left to right.

    `clips`: id of a clip -> ids of its items, both as they stand in the page.
    """
    return [
        (clip, shuffled(clips[clip], seed, participant, clip)) for clip in shuffled(clips, seed, participant)
    ]  # fmt: skip
