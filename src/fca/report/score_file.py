"""Reading a score file, `<root>/D/scores/V.json`: the numbers of one variant on one dataset."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fca.artifacts.quarantine import Quarantine
from fca.errors import FcaError, remake


@dataclass(frozen=True)
class Score:
    """One number with its interval; the protocol is in its name."""

    name: str
    """The full protocol name, e.g. `fvd_i3d_2048x16f`."""
    value: float
    low: float | None = None
    high: float | None = None
    bias: float | None = None
    """How far the value is expected above that of infinitely many clips, if that was estimated."""
    spread: float | None = None
    """Standard deviation between trainings, if there are several."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of the interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def overlaps(self, other: "Score") -> bool:
        """Whether the two intervals overlap; without intervals, whether the values are equal."""
        low, high = self.interval or (self.value, self.value)
        other_low, other_high = other.interval or (other.value, other.value)
        return low <= other_high and other_low <= high


@dataclass(frozen=True)
class ClipScore:
    """The scores of one predicted clip."""

    id: str
    caption: str
    psnr: float | None = None
    ssim: float | None = None
    task_asked: str | None = None
    task_found: str | None = None
    flaw: str | None = None
    """blank or frozen, if the prediction is and the ground truth isn't."""

    @property
    def obeyed(self) -> bool | None:
        """Whether the requested task was found; None if no task was requested or none was looked for."""
        if self.task_asked is None or self.task_found is None:
            return None
        return self.task_asked == self.task_found


@dataclass(frozen=True)
class ScoreFile:
    """What `fca score` measured of one variant on one dataset."""

    path: Path
    count: int
    protocol: Mapping[str, Any]
    network: str
    network_sha256: str
    scores: Mapping[str, Score]
    psnr_per_frame: Sequence[float | None]
    ssim_per_frame: Sequence[float | None]
    clips: Mapping[str, ClipScore]
    opposite: Mapping[str, ClipScore]
    reference: Mapping[str, Any]
    """The best possible scores with so few clips and this network."""
    quarantine: Sequence[Quarantine]
    parents: Mapping[str, str]
    """Path -> sha256 of the content that was scored."""
    replicates: Sequence[str] = ()
    """Names of the trainings whose scores these are the means of; empty for one."""


def read_scores(path: Path) -> ScoreFile | None:
    """The score file at `path`; None if there is none.

    Raises:
        FcaError: the file is damaged.
    """
    return read_result(path, "a score file", "fca score", lambda values: _score_file(path, values))


def read_round_trips(path: Path) -> dict[str, ScoreFile]:
    """The scores of the VAE's round trips by the number of frames that the VAE encoded; empty if there is no file.

    Raises:
        FcaError: the file is damaged.
    """

    def parse(values: dict[str, Any]) -> dict[str, ScoreFile]:
        trips = {length: _score_file(path, values | trip) for length, trip in sorted(values["round_trips"].items())}
        if not all(scores.psnr_per_frame for scores in trips.values()):
            raise KeyError("psnr_per_frame")
        return trips

    return read_result(path, "a score file", "fca score-vae-roundtrip", parse) or {}


Parsed = TypeVar("Parsed")


def read_result(path: Path, what: str, command: str, parse: Callable[[dict[str, Any]], Parsed]) -> Parsed | None:
    """What `parse` makes of the JSON that `command` wrote; None if there is no file, `FcaError` if it is damaged."""
    if not path.exists():
        return None
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FcaError(
            f"{path} is not {what} ({type(error).__name__}: {error})",
            f"the JSON object that `{command}` writes",
            f"remove {path}, then {remake(path)}",
        ) from error


def _score_file(path: Path, values: Mapping[str, Any]) -> ScoreFile:
    network = values["feature_network"]
    return ScoreFile(
        path=path,
        count=int(values["count"]),
        protocol=dict(values.get("protocol") or {}),
        network=str(network["name"]),
        network_sha256=str(network["sha256"]),
        scores={name: _score(name, entry) for name, entry in values["scores"].items() if entry is not None},
        psnr_per_frame=[_number(value) for value in values.get("psnr_per_frame") or []],
        ssim_per_frame=[_number(value) for value in values.get("ssim_per_frame") or []],
        clips=_clips(values.get("clips") or []),
        opposite=_clips(values.get("opposite") or []),
        reference=dict(values.get("reference") or {}),
        quarantine=[Quarantine(**row) for row in values.get("quarantine") or []],
        parents=dict(values.get("parents") or {}),
        replicates=list(values.get("replicates") or {}),
    )


def _score(name: str, entry: Any) -> Score:
    """A score, from `{value, low, high}` or from a bare number."""
    if not isinstance(entry, dict):
        return Score(name, float(entry))
    return Score(name, float(entry["value"]), *(_number(entry.get(key)) for key in ("low", "high", "bias", "spread")))


def _number(value: Any) -> float | None:
    """A finite float, or None: an initial frame has no PSNR, or an infinite one."""
    return None if value is None or not math.isfinite(float(value)) else float(value)


def _clips(rows: Sequence[Mapping[str, Any]]) -> dict[str, ClipScore]:
    """Per-clip rows by id, in the file's order."""
    found = {}
    for row in rows:
        psnr, ssim = (_number(row.get(key)) for key in ("psnr", "ssim"))
        texts = (None if row.get(key) is None else str(row[key]) for key in ("task_asked", "task_found", "flaw"))
        found[str(row["id"])] = ClipScore(str(row["id"]), str(row.get("caption", "")), psnr, ssim, *texts)
    return found
