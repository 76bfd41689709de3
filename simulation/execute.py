"""Execute the paths of predicted hands and grippers: `python -m simulation.execute data/pocket`.

`fca score` reads where hand or gripper is in every predicted frame of a dataset made of the clip library. Here the
simulator drives the task's own controller along that path, from the clip's own start, and says whether the task was
done. Next to the variants are two paths of the ground truth: as read from its frames (`READ`), which bounds what a
prediction can reach with this reader, and as the simulator recorded it (`RECORDED`). Tasks whose success says nothing
about a path are left out (`EXECUTABLE` of a place).

Writes `DATASET/executed.json` under the folder, which `fca report` shows. Run the same command again to resume.
"""

import argparse
import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from simulation.episode import FRAMES, Positions, place

LIBRARY = Path("config/pocket-clips/clips.jsonl")
READ, RECORDED = "ground truth, read", "ground truth, recorded"
SAVE_EVERY = 20


@dataclass(frozen=True)
class Job:
    """A path to execute, whose path it is, and of which clip."""

    variant: str
    clip: str
    """Id in the dataset"""
    place: str
    task: str
    seed: int
    path: Positions  # (FRAMES, 3)

    @property
    def key(self) -> str:
        """The same for the same path from the same start."""
        start = f"{self.place}/{self.task}/{self.seed}/".encode()
        return hashlib.sha256(start + self.path.astype("<f8").tobytes()).hexdigest()


def main() -> None:
    """Parse the command line and execute."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, metavar="FOLDER", help="a scale's results: FOLDER/DATASET/scores/*.json")
    options.add_argument("--library", type=Path, default=LIBRARY, metavar="FILE", help=f"default: {LIBRARY}")
    options.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: the machine's cores)")
    options = options.parse_args()
    if not options.library.is_file():
        raise SystemExit(f"There is no {options.library}. Name the clip library's list with --library.")

    recorded = recorded_paths(options.library)
    found = 0
    for dataset in sorted(path.parent for path in options.folder.glob("*/scores")):
        if jobs := jobs_of(dataset, recorded):
            found += 1
            execute(dataset / "executed.json", jobs, options.workers)
    if not found:
        raise SystemExit(
            f"No score file in {options.folder}/*/scores has paths. Run `fca score` with positions.network."
        )


def recorded_paths(library: Path) -> dict[tuple[str, str, int], Positions]:
    """Place, task and seed of the library's clips -> the effector's positions (FRAMES, 3)."""
    lines = [json.loads(line) for line in library.read_text().splitlines()]
    return {(line["place"], line["task"], line["seed"]): np.array(line["effector"]) for line in lines}


def jobs_of(dataset: Path, recorded: dict[tuple[str, str, int], Positions]) -> list[Job]:
    """The paths of all variants of a dataset; the ground truth's, once."""
    jobs: dict[tuple[str, str], Job] = {}
    for file in sorted(dataset.glob("scores/*.json")):
        scores = json.loads(file.read_text())
        paths = scores.get("paths")
        if not paths or file.name.endswith(".replicates.json"):
            continue
        for clip in paths["clips"]:
            start = clip["place"], clip["task"], clip["seed"]
            if not is_executable(*start[:2]) or start not in recorded:
                continue
            for variant, path in (
                (scores["variant"], whole(clip["effector"], paths["moments"])),
                (READ, whole(clip["effector_of_truth"], paths["moments"])),
                (RECORDED, recorded[start]),
            ):
                jobs[variant, clip["id"]] = Job(variant, clip["id"], *start, path)
    return list(jobs.values())


def is_executable(name: str, task: str) -> bool:
    """Return whether success at a task says something about a path."""
    module: Any = place(name)
    return task in getattr(module, "EXECUTABLE", module.TASKS)


def whole(path: list[list[float]], moments: list[float]) -> Positions:
    """Return positions (FRAMES, 3) of all frames from those at `moments`, in frames; it stands still outside them."""
    columns = np.array(path, np.float64).T
    return np.stack([np.interp(np.arange(FRAMES), moments, column) for column in columns], axis=1)


def execute(file: Path, jobs: list[Job], workers: int | None) -> None:
    """Execute the paths that `file` has no result of, and write all results."""
    known = dict(results_of(file))
    missing = [job for job in jobs if job.key not in known]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        running = {pool.submit(replay, job): job for job in missing}
        bar = tqdm(as_completed(running), total=len(running), desc=f"{file.parent.name} paths", disable=None)
        for number, ended in enumerate(bar, start=1):
            known[running[ended].key] = ended.result()
            if number % SAVE_EVERY == 0:
                write(file, jobs, known)
    write(file, jobs, known)
    for variant in dict.fromkeys(job.variant for job in jobs):
        done = [known[job.key] for job in jobs if job.variant == variant]
        print(f"{file.parent.name}: {variant}: {sum(done)} of {len(done)} tasks done")


def replay(job: Job) -> bool:
    """Drive the task's controller along a path; return whether the task was done."""
    return bool(place(job.place).replay(job.task, job.seed, job.path))


def results_of(file: Path) -> Iterator[tuple[str, bool]]:
    """Yield key and result of each path that was executed before."""
    if file.exists():
        for rows in json.loads(file.read_text())["variants"].values():
            yield from ((row["key"], row["done"]) for row in rows)


def write(file: Path, jobs: list[Job], known: dict[str, bool]) -> None:
    """Write the results so far: aside first, so that a file that exists is whole."""
    variants: dict[str, list[dict[str, Any]]] = {}
    for job in jobs:
        if job.key in known:
            row = {"id": job.clip, "place": job.place, "task": job.task, "seed": job.seed}
            variants.setdefault(job.variant, []).append(row | {"done": known[job.key], "key": job.key})
    aside = file.with_suffix(".partial")
    aside.write_text(json.dumps({"dataset": file.parent.name, "variants": variants}, indent=1) + "\n")
    os.replace(aside, file)


if __name__ == "__main__":
    main()
