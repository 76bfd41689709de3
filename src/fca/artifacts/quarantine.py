"""Unusable clips: each is named with a reason, and every manifest and the report list them."""

from collections.abc import Iterable
from dataclasses import dataclass

from fca.errors import FcaError


class ClipError(Exception):
    """Why a clip is unusable; becomes the reason of a quarantine row."""


@dataclass(frozen=True)
class Quarantine:
    """An unusable clip. It keeps its row in the index; no other clip replaces it."""

    dataset: str
    split: str
    id: str
    step: str
    """The step that found it: index, resample, ..."""
    file: str
    """The file at fault, relative to the dataset's raw folder if it is inside."""
    reason: str


def require_usable(dataset: str, split: str, usable: int, quarantine: Iterable[Quarantine]) -> None:
    """Refuse a split without a usable clip.

    Raises:
        FcaError: with the first of its quarantine rows as an example.
    """
    if usable:
        return
    first = next((f"; the first, {row.id}: {row.file}: {row.reason}" for row in quarantine if row.split == split), "")
    raise FcaError(
        f"{dataset} {split} has no usable clip{first}",
        f"media for the clips that datasets.{dataset} asks for",
        f"complete the raw files (or shorten datasets.{dataset}.exclude), then run `fca fetch`, `fca index` and "
        "`fca data verify` again",
    )
