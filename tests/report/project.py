"""A small finished project for the report to read: shards, manifests and scores as the steps write them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import write_shard
from fca.config import Config, Layout, load

ROOT = Path(__file__).parents[2]
LIBRARY = {"train": 288, "validation": 72}
"""As many clips as any test of the report wants: no test reads them."""
MADE_BY = {"config": "0" * 64, "code": "1" * 64, "fca": "0.1.0"}
NETWORK = {"name": "pocket_i3d", "sha256": "ab" * 32}


def make_config(folder: Path, clips: int = 6, **overrides: Any) -> Config:
    """The pocket configuration with its folders in `folder` and a few clips in two shards of each dataset."""
    split = {"clips": clips, "shard_clips": clips // 2}
    values = {
        "data_dir": str(folder / "data"),
        "run_dir": str(folder / "runs"),
        "report_dir": str(folder / "reports"),
        "datasets": {name: {"validation": split, "library": LIBRARY} for name in ("ssv2", "bridge", "epic")},
        "report": {"clips": 4},
    }
    return load(ROOT / "config" / "pocket.yaml", values | overrides)


def make_project(config: Config, captions: list[str] | None = None) -> None:
    """Everything that the steps before the report make, for every dataset and variant of `config`."""
    for seed, name in enumerate(config.datasets):
        clips = make_clips(config, seed, captions, config.datasets[name].validation.clips)
        make_dataset(config, name, clips)


Clips = dict[str, tuple[str, str, np.ndarray, np.ndarray, np.ndarray]]
"""id -> caption, opposite caption, truth, good prediction, bad prediction."""


def make_clips(config: Config, seed: int, captions: list[str] | None = None, count: int = 6) -> Clips:
    """`count` small moving squares on a gradient, the prediction a little off and the base model far off."""
    rng = np.random.default_rng(seed)
    frames, height, width = config.clip.frames, config.clip.height, config.clip.width
    ground = np.linspace(40, 200, width, dtype=np.float64)[None, :, None] * np.array([1.0, 0.9, 0.8])
    clips: Clips = {}
    for number in range(count):
        truth = np.tile(ground, (frames, height, 1, 1))
        side = height // 4
        for frame in range(frames):
            left = (frame + 1) * (width - side) // (frames + 1)
            truth[frame, side : 2 * side, left : left + side] = (200, 40, 40 * (number % 6))
        noise = rng.normal(0, 2 + 3 * (number % 6), truth.shape)
        good = (truth + noise).clip(0, 255).astype(np.uint8)
        bad = (np.roll(truth, 7, 2) * 0.6 + 50 + noise).clip(0, 255).astype(np.uint8)
        caption = captions[number % len(captions)] if captions else f"push red block {number} right"
        clips[f"clip_{number}"] = (caption, f"push red block {number} left", truth.astype(np.uint8), good, bad)
    return clips


def make_dataset(config: Config, name: str, clips: Clips, quarantine: list[Quarantine] | None = None) -> None:
    """The files of one dataset."""
    layout, quarantine = Layout(config), quarantine or []
    ids = list(clips)
    Manifest("index", len(ids), [], "2" * 64, {}, MADE_BY, quarantine).write(layout.index_manifest(name))
    for shard in layout.shards(name, "validation"):
        rows = [ids[row] for row in layout.shard_rows(name, "validation", shard) if row < len(ids)]
        shard_of(layout.clips(name, "validation", shard), "clips", rows, clips, 2, quarantine)
        for variant, column in (("fca", 3), ("base", 4)):
            shard_of(layout.samples(name, variant, "validation", shard), "samples", rows, clips, column, quarantine)
        shard_of(layout.samples(name, "fca", "opposite", shard), "samples", rows, clips, 3, quarantine, opposite=True)
    log = [
        {"step": step, "loss": 0.2 + 1 / (step + 1), "learning_rate": 1e-3 * min(1, step / 20), "grad_norm": 1.0}
        for step in range(10, 160, 10)
    ]
    extra = {
        "steps": 150,
        "seconds": 321.5,
        "seconds_per_step": 2.143,
        "peak_memory_gib": 1.25,
        "trainable_parameters": 1234567,
        "log": log,
        "init_from": config.train.init_from,
        "versions": {"python": "3.12.1", "torch": "2.13.0"},
        "git_commit": "0123456789abcdef" * 2 + "-dirty",
    }
    Manifest("model", 1, [], "3" * 64, {}, MADE_BY, [], extra).write(layout.model_manifest(name, "fca"))
    for variant, fvd, level in (("fca", 12.34, 24.0), ("base", 45.6, 14.0), ("repeat", 80.1, 19.0)):
        write_json(layout.scores(name, variant), score_values(config, name, variant, clips, fvd, level))


def shard_of(
    path: Path,
    kind: str,
    ids: list[str],
    clips: Clips,
    column: int,
    quarantine: list[Quarantine],
    opposite: bool = False,
) -> None:
    """A shard of clips or samples."""
    frames = np.stack([np.asarray(clips[clip_id][column]) for clip_id in ids])
    arrays: dict[str, Any] = {"frames": frames, "caption": [clips[clip_id][1 if opposite else 0] for clip_id in ids]}
    if kind == "samples":
        arrays["seed"] = np.arange(len(ids))
    write_shard(path, kind, arrays, ids, {}, MADE_BY, quarantine)


def score_values(config: Config, dataset: str, variant: str, clips: Clips, fvd: float, level: float) -> dict[str, Any]:
    """A score file's values; the good variant finds most tasks."""
    found = ["right", "left"] if variant == "fca" else ["left", "up"]
    rows = [
        {"id": clip_id, "caption": clip[0], "psnr": level - number, "ssim": 0.9 - number / 50,
         "task_asked": "right", "task_found": found[number == 5]}
        for number, (clip_id, clip) in enumerate(clips.items())
    ]  # fmt: skip
    opposite = [
        {"id": clip_id, "caption": clip[1], "task_asked": "left", "task_found": "left"}
        for clip_id, clip in clips.items()
    ]
    predicted = config.clip.frames - config.datasets[dataset].initial_frames
    name = f"{NETWORK['name']}_{len(clips)}x{config.clip.frames}f"

    def around(value: float, margin: float) -> dict[str, float]:
        return {"value": value, "low": value - margin, "high": value + margin}

    return {
        "dataset": dataset,
        "variant": variant,
        "count": len(clips),
        "protocol": {"frames": config.clip.frames, "interval": {"confidence": 0.95, "method": "bootstrap"}},
        "feature_network": NETWORK,
        "scores": {
            f"fvd_{name}": around(fvd, 2.5) | {"bias": 1.5},
            f"fvd_{name}_raw": around(fvd * 1.2, 3),
            f"fvd_seer_{name}": around(fvd * 0.96, 2.5),
            f"fvd_seer_{name}_raw": around(fvd * 1.15, 3),
            f"kvd_{name}": around(fvd / 4000, 0.001),
            f"kvd_{name}_raw": around(fvd / 3000, 0.001),
            f"kvd_seer_{name}": around(-0.0012, 0.001),
            f"kvd_seer_{name}_raw": around(-0.001, 0.001),
            "psnr": around(level - 2.5, 0.8),
            "ssim": around(0.85, 0.02),
            "task_accuracy": around(0.833 if variant == "fca" else 0.25, 0.1),
            "opposite_task_accuracy": around(0.9, 0.08) if variant == "fca" else None,
        },
        "reference": {
            "fvd_truth_halves": {"name": f"fvd_{NETWORK['name']}_3x16f", "value": 6.2, "halvings": 20},
            "task_accuracy_of_truth": around(0.97, 0.02),
        },
        "psnr_per_frame": [level - index / 3 for index in range(predicted)],
        "ssim_per_frame": [0.9 - index / 100 for index in range(predicted)],
        "clips": rows,
        "opposite": opposite if variant == "fca" else [],
        "quarantine": [],
        "parents": {},
        "made_by": MADE_BY,
    }


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")
