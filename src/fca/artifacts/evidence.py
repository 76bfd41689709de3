"""Records of trainings: what one is worth, in a file small enough for the repository.

A record outlives the machine that made it. As long as settings and frozen networks are the same, `snakemake evidence`
computes nothing of what is recorded.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from fca.artifacts.atomic import write_text
from fca.artifacts.fingerprint import fingerprint
from fca.config import Config, Layout
from fca.config.lookup import settings_at
from fca.config.names import RunName
from fca.errors import FcaError, first_line

CHAIN = ("fetch", "index", "verify", "resample", "encode", "train", "sample", "score")
"""The steps that decide a score."""


@dataclass(frozen=True)
class Evidence:
    """What a training of a variant, or a variant without one, was measured to be."""

    scale: str
    dataset: str
    name: str
    """`fca_ablation@2`: the second training"""
    title: str
    protocol_sha256: str
    """Of its scores: equal for all that can be compared"""
    clips: int
    trained: int | None
    """Trained weights; None: nothing is trained"""
    steps: int
    seconds: float | None
    """Of the training, by the clock; None: it has none of its own"""
    device: str
    """That it was trained on"""
    git_commit: str | None
    """Of the training"""
    settings: dict[str, Any]
    """All settings that affect it, by dotted name"""
    weights: dict[str, str]
    """Hashes of the networks and clips that it was made of, by path"""
    code: dict[str, str]
    """Hashes of the code of each step"""
    lengths: dict[str, dict[str, float]] = field(default_factory=dict)
    """Optimizer steps -> every score of the model after them; the most are the end"""
    draws: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Score -> at the end: `value`, `clips`, and its values for `resampled` clips, the same for all records"""

    @property
    def row(self) -> str:
        """The variant."""
        return RunName.of(self.name).variant

    def write(self, path: Path) -> None:
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, allow_nan=False)
        # A line for each entry, so that a commit shows what changed.
        write_text(path, text.replace('}, "', '},\n"').replace('], "', '],\n"') + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record.

        Raises:
            FcaError: it is damaged.
        """
        try:
            found = TypeAdapter(cls).validate_json(path.read_bytes(), strict=True, extra="forbid")
            found.check()
        except (OSError, ValueError) as error:
            raise _no_record(path, first_line(error)) from error
        return found

    def check(self) -> None:
        """Raises ValueError if a value isn't a finite number, or scores were resampled different numbers of times."""
        for score, drawn in self.draws.items():
            values = [drawn.get("value"), *drawn.get("resampled", [None])]
            if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
                raise ValueError(f"{score} has a value that is no finite number")
        if len({len(drawn["resampled"]) for drawn in self.draws.values()}) > 1:
            raise ValueError("its scores were resampled different numbers of times")


def read_at(path: Path) -> Evidence:
    """The record at `SCALE/DATASET/NAME.json`.

    Raises:
        FcaError: it is damaged, or one of another place.
    """
    found = Evidence.read(path)
    place = (found.scale, found.dataset, f"{found.name}.json")
    if path.parts[-3:] != place:
        raise _no_record(path, f"it is that of {'/'.join(place)}")
    return found


def _no_record(path: Path, why: str) -> FcaError:
    return FcaError(
        f"{path} is no record of a training ({why})",
        "JSON that `fca record` wrote",
        f"`git checkout {path}`, or remove it, then run `snakemake evidence` again",
    )


def made_of(config: Config, dataset: str, name: str) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Settings, hashes of networks and hashes of code of all steps that decide the scores of a training."""
    settings: dict[str, Any] = {}
    weights: dict[str, str] = {}
    code: dict[str, str] = {}
    for step in CHAIN:
        of = config.weights_name(name) if step == "train" else name
        if step == "train" and not config.variant(of).trains:
            continue
        per_variant = of if step in ("train", "sample", "score") else None
        found = fingerprint(config, step, dataset, per_variant, config.variant(of).base)
        settings |= found["settings"]
        weights |= found["weights"]
        code[step] = found["code"]
    return json.loads(json.dumps(settings)), weights, code


def is_recorded(config: Config, dataset: str, name: str) -> bool:
    """Whether the repository has this training's results, with these settings, networks and lengths.

    A setting that the record doesn't know, because it is newer, doesn't count if it has its default.

    Raises:
        FcaError: the record is damaged.
    """
    path = Layout(config).evidence(dataset, name)
    if not path.exists():
        return False
    record = read_at(path)
    settings, weights, code = made_of(config, dataset, name)
    lengths = {str(RunName.of(length).steps) for length in config.lengths(name)}
    if not lengths <= set(record.lengths) or record.weights != weights:
        return False
    if config.evidence.same_code and record.code != code:
        return False
    known = {key: value for key, value in settings.items() if key in record.settings or not _is_default(key, value)}
    return known == record.settings


def _is_default(name: str, value: Any) -> bool:
    """Whether a setting, by its dotted name, has the default that a newer version gave it."""
    location = name.split(".")
    found = settings_at(location[:-1]).get(location[-1])
    return found is not None and not found.is_required() and found.get_default(call_default_factory=True) == value


def read_all(folder: Path) -> list[Evidence]:
    """All records of a folder, in the order of their paths."""
    return [read_at(path) for path in sorted(folder.rglob("*.json"))]
