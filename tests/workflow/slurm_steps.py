"""A stand-in for src/fca/cli/main.py in tests of Slurm: the files of each step, and an account of what ran.

Every start and end is a line of executions.log. Shards are real ones, small, and a step that finds its own returns at
once, as the real steps do; its line says `reused`. `pause/STEP` holds seconds that the step takes, `hog/STEP` megabytes
that it takes once, on its first run. Training counts tenths of a second, keeps its count in a file, and on TERM saves
and ends with 75, as `fca train` does.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from fca.artifacts.fingerprint import made_by
from fca.artifacts.shards import reused, write_shard
from fca.config import load

STOPPED = False


def main() -> int:
    step, file, *names = [item for item in sys.argv[1:] if not item.startswith("-") and item != "data"]
    name = "-".join([step, *names])
    made = of_shard(file, step, names)
    if made and reused(outputs(step, names)[0].with_suffix(".h5"), step, {}, made):
        record("reused", name)
        return 0
    record("start", name)
    print(f"the log of {name}", flush=True)
    hog = Path("hog") / step
    if hog.exists():
        megabytes = int(hog.read_text())
        hog.unlink()
        ballast = b"x" * (megabytes << 20)
        time.sleep(30)
        record("not-killed", f"{name} with {len(ballast)}")
    status = train(name) if step == "train" else 0
    if status == 0:
        if step != "train":
            time.sleep(seconds(step))
        for path in outputs(step, names):
            if made:
                write_shard(path.with_suffix(".h5"), step, {"frames": np.zeros((1, 8))}, ["0"], {}, made)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{step} {names}\n")
        record("end", name)
    return status


def of_shard(file: str, step: str, names: list[str]) -> dict[str, str]:
    """What makes the shard of a step; empty for a step that makes none."""
    match step, *names:
        case "resample", dataset, _, _:
            return made_by(load(file), step, dataset)
        case "encode", dataset, _, _, ("text" | "image") as base:
            return made_by(load(file), step, dataset, base=base)
        case "sample", dataset, variant, kind, _:
            return made_by(load(file), "sample_edited" if kind == "edited" else step, dataset, variant)
    return {}


def record(what: str, name: str) -> None:
    with Path("executions.log").open("a") as log:
        log.write(f"{what} {name} {os.environ.get('SLURM_JOB_ID', '-')}\n")


def seconds(step: str) -> float:
    path = Path("pause") / step
    return float(path.read_text()) if path.exists() else 0.0


def train(name: str) -> int:
    def stop(*_: object) -> None:
        global STOPPED
        STOPPED = True

    signal.signal(signal.SIGTERM, stop)
    count = Path("runs") / name
    count.parent.mkdir(exist_ok=True)
    done = int(count.read_text()) if count.exists() else 0
    record(f"from-{done}", name)
    while done < 10 * seconds("train"):
        time.sleep(0.1)
        done += 1
        if STOPPED or done % 10 == 0:
            aside = count.with_suffix(".aside")
            aside.write_text(str(done))
            aside.replace(count)
        if STOPPED:
            record(f"stopped-{done}", name)
            print("told to stop; saved", flush=True)
            return 75
    return 0


def outputs(step: str, names: list[str]) -> list[Path]:
    root = Path("data/pocket")
    if step == "report":
        return [Path("reports/index.html"), Path("reports/metrics.json"), Path("reports/assets/style.css")]
    folder = root / names[0]
    match step, *names[1:]:
        case "fetch", *_:
            return [folder / "raw.json"]
        case "index", *_:
            return [folder / "index.json"]
        case "verify", *_:
            return [folder / "verified.json"]
        case "resample", split, shard:
            return [folder / "clips" / f"{split}-{shard}.json"]
        case "encode", split, shard, base:
            return [folder / "latents" / base / f"{split}-{shard}.json"]
        case "train", variant:
            return [folder / "models" / f"{variant}.json"]
        case "sample", variant, kind, shard:
            return [folder / "samples" / variant / f"{kind}-{shard}.json"]
        case "measure-vae-roundtrip", shard:
            return [folder / "scores" / "vae_roundtrip" / f"{shard}.json"]
        case ("score-vae-roundtrip",):
            return [folder / "scores" / "vae_roundtrip.json"]
        case "score", variant:
            return [folder / "scores" / f"{variant}.json"]
    raise ValueError(f"no such step: {step} {names}")
