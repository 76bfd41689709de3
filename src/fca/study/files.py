"""The study's two files: the key, which its authors keep, and the ratings that each participant hands in."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import Field, StringConstraints, ValidationError

from fca.artifacts.atomic import write_text
from fca.artifacts.text import sha256
from fca.config.settings import Name, Settings, Sha256
from fca.errors import FcaError

KEY_NAME = "study-key.json"
RATINGS_KIND = "fca-study-ratings"
LARGEST_RATING = 5
Criterion = Literal["text_alignment", "temporal_consistency", "visual_fidelity"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
Participant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Rating = Annotated[int, Field(ge=0, le=LARGEST_RATING)]
Model = TypeVar("Model", bound=Settings)
Rated = Mapping[str, Mapping[Criterion, int]]


class StudyClip(Settings):
    """A clip of the study."""

    dataset: str
    clip: str
    caption: str


class Item(Settings):
    """One prediction of a clip."""

    clip: str
    """A name in `Key.clips`"""
    variant: Name
    media: Sha256
    """Hash of the bytes that the page plays"""


class Key(Settings):
    """The meaning of the page's opaque names, with which files of ratings are checked."""

    kind: Literal["fca-study-key"] = "fca-study-key"
    version: Literal[1] = 1
    study: Sha256
    """sha256 over the rest of the key, and so over everything the page shows; each file of ratings names it"""
    seed: int
    order_seed: str
    """Part of the page; a participant's order is a function of this and the participant's name"""
    nonce: str
    """Part of the page and of the digest of a file of ratings"""
    scale: str
    media: Literal["sheet", "mp4"]
    initial_frames: dict[str, int]
    """Dataset -> number of frames that are replaced by the ground truth in every prediction"""
    variants: dict[Name, str]
    """Name -> title, in the order of the results"""
    clips: dict[str, StudyClip]
    items: dict[str, Item]
    parents: dict[str, str]
    """Path of each shard, relative to the data folder -> sha256 of its content"""

    @classmethod
    def make(cls, **values: Any) -> Self:
        """A key with its hash."""
        unnamed = cls(study="0" * 64, **values)
        return unnamed.model_copy(update={"study": unnamed.hash()})

    def hash(self) -> str:
        """The expected value of `study`."""
        values = self.model_dump(mode="json", exclude={"study"})
        return sha256(json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":")))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key in a file, or in the folder that `fca study build` wrote.

        Raises:
            FcaError: the key is unreadable or was changed.
        """
        path = path / KEY_NAME if path.is_dir() else path
        key = _validated(cls, path, "the key that `fca study build` wrote")
        if key.hash() != key.study:
            raise FcaError(
                f"{path} was changed: its content doesn't match its hash",
                f"study {key.study}",
                "restore the original, or rebuild it from the same samples with the same `fca study build` command",
            )
        return key

    def write(self, path: Path) -> None:
        """Write the key as JSON."""
        write_text(path, json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")

    def digest(self, participant: str, ratings: Rated) -> str:
        """The digest of a file of ratings, computed as in templates/order.js.

        It detects a file that was truncated, damaged or edited manually. It can't detect a file forged by a reader of
        the page's script, since the page contains everything that is needed.
        """
        lines = sorted(f"{item} {name} {value}" for item, rated in ratings.items() for name, value in rated.items())
        return sha256("\n".join([f"{RATINGS_KIND} 1", self.study, self.nonce, participant, *lines]))


class Ratings(Settings):
    """The ratings of one participant."""

    kind: Literal["fca-study-ratings"]
    version: Literal[1]
    study: Sha256
    participant: Participant
    ratings: dict[str, dict[Criterion, Rating]]
    """Item -> criterion -> 0 to 5"""
    digest: Sha256

    @property
    def count(self) -> int:
        return sum(len(rated) for rated in self.ratings.values())


def read_all(key: Key, paths: Sequence[Path], partial: bool = False) -> list[Ratings]:
    """The files of all participants, checked one by one and against each other.

    Raises:
        FcaError: a file is damaged, edited, of another study, incomplete (unless `partial`), or of a participant who
            has another file.
    """
    found: dict[str, tuple[Path, Ratings]] = {}
    for path in paths:
        ratings = read_ratings(key, path, partial)
        if ratings.participant in found:
            other, before = found[ratings.participant]
            same = "the same ratings" if before == ratings else "other ratings"
            raise FcaError(
                f"{path} and {other} are both of participant {ratings.participant!r}, with {same}",
                "one file for each participant",
                "leave one out: the later one if a participant saved twice",
            )
        found[ratings.participant] = (path, ratings)
    return [ratings for _, (_, ratings) in sorted(found.items())]


def read_ratings(key: Key, path: Path, partial: bool = False) -> Ratings:
    """One participant's file; see `read_all` for errors."""
    ratings = _validated(Ratings, path, "a file of ratings as the study's page saves it")
    if ratings.study != key.study:
        raise FcaError(
            f"{path} belongs to another study ({ratings.study[:12]}...)",
            f"ratings of the study {key.study[:12]}..., as in the key",
            "use the key of the study that was rated, or leave this file out",
        )
    if unknown := sorted(set(ratings.ratings) - set(key.items)):
        raise FcaError(
            f"{path} rates {len(unknown)} items that the study doesn't have: {', '.join(unknown[:3])}",
            "items of the key",
            "ask the participant for the file as the page saved it",
        )

    if ratings.digest != key.digest(ratings.participant, ratings.ratings):
        raise FcaError(
            f"{path} was changed after the page saved it: its content doesn't match its digest",
            remedy="ask the participant for the file as the page saved it",
        )

    wanted = len(key.items) * len(CRITERIA)
    if ratings.count < wanted and not partial:
        raise FcaError(
            f"{path} (participant {ratings.participant!r}) has {ratings.count} of {wanted} ratings",
            "every item rated by every criterion",
            "ask the participant to load it into the page and continue, or use the existing ratings with --partial",
        )
    if not ratings.count:
        raise FcaError(f"{path} (participant {ratings.participant!r}) has no ratings", remedy="leave it out")
    return ratings


def _validated(model: type[Model], path: Path, expected: str) -> Model:
    """A JSON file as a model; `FcaError` names the file and the wrong entry."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except OSError as error:
        raise FcaError(f"{path} can't be read: {error.strerror}", expected) from error
    except (ValueError, RecursionError) as error:
        raise FcaError(f"{path} is not JSON: {error}", expected) from error
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        entry = ".".join(str(name) for name in first["loc"] if name != "[key]")
        found = f", not {first['input']!r}" if isinstance(first["input"], str | int | float | None) else ""
        raise FcaError(f"{path}: {entry or 'the file'}: {first['msg']}{found}", expected) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without duplicate names, of which JSON parsers keep an arbitrary one."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("duplicate name in an object")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")
