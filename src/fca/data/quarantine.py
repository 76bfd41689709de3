"""Clips that can't be used: named, with the reason, carried through every manifest into the report."""

from dataclasses import dataclass


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
