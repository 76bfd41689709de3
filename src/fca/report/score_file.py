"""Reading a score file, `<root>/D/scores/V.json`: the numbers of one variant on one dataset."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """How far the value is expected above that of endless clips, where that was estimated."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of the interval, where there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class ClipScore:
    """The scores of one predicted clip."""

    id: str
    caption: str
    psnr: float | None = None
    ssim: float | None = None
    motion_asked: str | None = None
    motion_found: str | None = None

    @property
    def obeyed(self) -> bool | None:
        """Whether the asked motion was found; None where nothing was asked or looked for."""
        if self.motion_asked is None or self.motion_found is None:
            return None
        return self.motion_asked == self.motion_found


@dataclass(frozen=True)
class ScoreFile:
    """What `fca score` says about one variant on one dataset."""

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
    """What the scores can be at best with so few clips and this network."""
    quarantine: Sequence[Quarantine]
    parents: Mapping[str, str]
    """Path -> sha256 of the content that was scored."""


def read_scores(path: Path, round_trip: str | None = None) -> ScoreFile | None:
    """The score file at `path`, None where there is none; `FcaError` where it is damaged.

    The VAE's file holds the scores of several round trips, named by how many frames the VAE saw: `round_trip` is one.
    """
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if round_trip is not None:
            values |= values["round_trips"][round_trip]
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
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FcaError(
            f"{path} is not a score file ({type(error).__name__}: {error})",
            "the JSON object that `fca score` writes",
            f"remove {path}, then {remake(path)}",
        ) from error


def _score(name: str, entry: Any) -> Score:
    """A score, from `{value, low, high}` or from a bare number."""
    if not isinstance(entry, dict):
        return Score(name, float(entry))
    return Score(name, float(entry["value"]), *(_number(entry.get(key)) for key in ("low", "high", "bias")))


def _number(value: Any) -> float | None:
    """A finite float, or None: a frame that was given has no PSNR, or an infinite one."""
    return None if value is None or not math.isfinite(float(value)) else float(value)


def _clips(rows: Sequence[Mapping[str, Any]]) -> dict[str, ClipScore]:
    """Per-clip rows by id, in the file's order."""
    return {
        str(row["id"]): ClipScore(
            id=str(row["id"]),
            caption=str(row.get("caption", "")),
            psnr=_number(row.get("psnr")),
            ssim=_number(row.get("ssim")),
            motion_asked=_text(row.get("motion_asked")),
            motion_found=_text(row.get("motion_found")),
        )
        for row in rows
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
