"""Render clips of a place: `python -m simulation.render PLACE COUNT --first-seed N --out FOLDER`.

Writes one video per clip and a line of `FOLDER/clips.jsonl` with captions, positions and what makes the clip again
(`Episode.record`). Run the same command again to resume. Clips whose expert failed are listed in `failed.jsonl`.
`--sheet` writes a PNG sheet per clip next to its video, to look at.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from tqdm import tqdm

from simulation.episode import HEIGHT, PLACES, VALIDATION_SEEDS, WIDTH, Episode, Frames, place, task_of

CODEC = "libvpx-vp9"
OPTIONS = {"crf": "31", "b": "0", "deadline": "good", "cpu-used": "1", "row-mt": "0", "threads": "1"}


def main() -> None:
    """Parse the command line and render."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("place", choices=PLACES)
    options.add_argument("count", type=int, help="number of seeds, and of clips if no expert fails")
    options.add_argument("--first-seed", type=int, default=0, metavar="N",
                         help=f"from {VALIDATION_SEEDS} on: validation")  # fmt: skip
    options.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    options.add_argument("--size", type=int, nargs=2, default=(WIDTH, HEIGHT), metavar=("W", "H"))
    options.add_argument("--tasks", nargs="+", metavar="TASK", help="only these; default: all of the place")
    options.add_argument("--sheet", action="store_true", help="also write a PNG sheet of each clip")
    options = options.parse_args()
    if options.first_seed < VALIDATION_SEEDS < options.first_seed + options.count:
        raise SystemExit(f"Seeds of training and validation in one run. Split it at --first-seed {VALIDATION_SEEDS}.")
    render(options.place, options.count, options.first_seed, options.out, tuple(options.size), options.tasks,
           options.sheet)  # fmt: skip


def render(
    name: str,
    count: int,
    first_seed: int,
    out: Path,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    tasks: list[str] | None = None,
    sheets: bool = False,
) -> None:
    """Render the clips of `count` seeds that are not yet in `out`."""
    module = place(name)
    chosen = tuple(tasks or module.TASKS)
    if unknown := set(chosen) - set(module.TASKS):
        raise SystemExit(f"{name} has no task {', '.join(sorted(unknown))}. Its tasks: {', '.join(module.TASKS)}.")
    out.mkdir(parents=True, exist_ok=True)
    clips, failed = out / "clips.jsonl", out / "failed.jsonl"
    finished = {(line["place"], line["seed"]) for file in (clips, failed) for line in read_lines(file)}

    seeds = range(first_seed, first_seed + count)
    with tqdm(seeds, desc=f"{name} clips", disable=None, smoothing=0) as bar:
        for seed in bar:
            if (name, seed) in finished:
                continue
            episode = module.episode(task_of(chosen, seed), seed, *size)
            if not episode.succeeded:
                append(failed, {"place": name, "task": episode.task, "seed": seed})
                continue
            file = out / f"{name}-{seed:07d}.webm"
            write_video(file, episode.frames, episode.fps)
            if sheets:
                write_sheet(file.with_suffix(".png"), episode)
            append(clips, {"file": file.name} | episode.record())
    lines = [line for line in read_lines(clips) if line["place"] == name and line["seed"] in seeds]
    size_in_mb = sum((out / line["file"]).stat().st_size for line in lines) / 1e6
    print(f"{out}: {len(lines)} clips of {count} seeds, {size_in_mb:.2f} MB")


def write_video(file: Path, frames: Frames, fps: float) -> None:
    """Write a VP9 video in a WebM file, aside first, so that a file that exists is whole."""
    aside = file.with_suffix(".partial")
    with av.open(str(aside), "w", format="webm", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream(CODEC, rate=round(fps), options=OPTIONS)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    os.replace(aside, file)


def write_sheet(file: Path, episode: Episode, shown: int = 12, columns: int = 4) -> None:
    """Write evenly spaced frames of a clip as one picture, row by row."""
    chosen = episode.frames[np.linspace(0, len(episode.frames) - 1, shown).round().astype(int)]
    rows = [np.concatenate(list(chosen[start : start + columns]), axis=1) for start in range(0, shown, columns)]
    Image.fromarray(np.concatenate(rows)).save(file)


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read a JSONL file; none: no lines. A last line cut by a kill is dropped from the file."""
    if not file.exists():
        return []
    text = file.read_text()
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        file.write_text(text)
    return [json.loads(line) for line in text.splitlines()]


def append(file: Path, line: dict[str, Any]) -> None:
    """Append a line and put it on the disk."""
    with file.open("a") as stream:
        stream.write(json.dumps(line) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


if __name__ == "__main__":
    main()
