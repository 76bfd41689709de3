"""Clips that can't be used: named, with the reason, carried through every manifest into the report."""

from collections.abc import Iterable
from dataclasses import dataclass

from fca.errors import FcaError


class ClipError(Exception):
    """Why one clip's media can't be used. Becomes the reason of a quarantine row."""


@dataclass(frozen=True)
class Quarantine:
    """One clip that a step could not use. The clip keeps its place in the index; nothing slides into it."""

    dataset: str
    split: str
    id: str
    step: str
    """The step that found it: index, resample, ..."""
    file: str
    """The file at fault, relative to the dataset's raw folder where it lies there."""
    reason: str


def require_usable(dataset: str, split: str, usable: int, quarantine: Iterable[Quarantine]) -> None:
    """`FcaError` where no clip of a split is left; the first of its quarantine rows stands for the others."""
    if usable:
        return
    first = next((f"; the first, {row.id}: {row.file}: {row.reason}" for row in quarantine if row.split == split), "")
    raise FcaError(
        f"no clip of {dataset} {split} can be used{first}",
        f"media for the clips that datasets.{dataset} asks for",
        f"complete the raw files (or shorten datasets.{dataset}.exclude), then run `fca fetch`, `fca index` and "
        "`fca data verify` again",
    )
