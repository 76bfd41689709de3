"""Shuffled reads of cached latents at the paper's size, against other ways to store them. `python -m benchmarks.read`

Every version stores the same random numbers and reads all arrays of one clip after the other in a random order, from a
warm cache of the disk, in one thread. `ours` is a shard, whose checksums HDF5 verifies at every read; `pt` and `npz`
are a file for each clip (torch.save; numpy.savez, whose zip checksum numpy verifies); `gzip` is HDF5 as it is often
written, with gzip and chunks of h5py's choice. `clip` is what training gets of a shard (`LatentClips`): samples of the
posteriors and noise drawn, everything float32. Times are the processor's, so that other jobs on the machine count
little; with --loader-workers a DataLoader's are added, by the clock.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch

from fca.artifacts.shards import Shard, write_shard
from fca.train.data import LatentClips, StepOrder, data_loader

ROWS = {
    "mean": (16, 4, 60, 90),
    "logvar": (16, 4, 60, 90),
    "init_mean": (16, 1, 60, 90),
    "init_logvar": (16, 1, 60, 90),
    "vision": (257, 1408),
    "prompt_embeds": (226, 4096),
    "text_embeds": (32, 768),
}
"""Arrays of a clip at 720x480 with CogVideoX-2B and BLIP-2, all float16: 4.4 MB with a caption of its own."""
TABLES = ("prompt_embeds", "text_embeds", "text_mask")
COMPRESSED = 8
"""Of this many clips one is written with gzip: it takes 100 times as long."""
Read = Callable[[int], object]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--clips", type=int, default=64, help="clips, each with its own caption (default: %(default)s)"
    )
    options.add_argument("--repetitions", type=int, default=5, help="passes over them; the median is reported")
    options.add_argument("--loader-workers", type=int, nargs="*", default=[], help="processes of a DataLoader")
    options.add_argument("--folder", type=Path, help="where to write (2 GB); by default the system's temporary folder")
    options.add_argument("--out", type=Path, help="write everything measured to this JSON file")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        rows = measured(Path(folder), chosen.clips, chosen.repetitions, chosen.loader_workers)
    size = sum(2 * int(np.prod(shape)) for shape in ROWS.values())
    print(f"{chosen.clips} clips of {size / 1e6:.2f} MB each, {platform.machine()} CPU, one thread, warm cache")
    print(f"{'':10} {'clips/s':>8} {'GB/s':>6} {'ms/clip':>8}")
    for name, seconds in rows.items():
        each = statistics.median(seconds)
        print(f"{name:10} {1 / each:8.0f} {size / each / 1e9:6.2f} {each * 1e3:8.2f}")
    if chosen.out is not None:
        rates = {name: 1 / statistics.median(seconds) for name, seconds in rows.items()}
        content = {"clips": chosen.clips, "bytes_of_a_clip": size, "clips_per_second": rates, "seconds_a_clip": rows}
        chosen.out.write_text(json.dumps(content, indent=1) + "\n")


def measured(folder: Path, clips: int, repetitions: int, workers: list[int]) -> dict[str, list[float]]:
    """Seconds a clip in each pass, by version; versions take turns, so that what disturbs the machine disturbs all."""
    reads = write(folder, clips)
    drawn = LatentClips([folder / "ours.h5"], seed=0)
    reads["clip"] = lambda row: drawn[0, row]
    found: dict[str, list[float]] = {}
    for turn in range(repetitions + 1):  # the first pass warms the cache up
        order = np.random.default_rng(turn).permutation(clips).tolist()
        for name, read in reads.items():
            rows = [row for row in order if row < clips // COMPRESSED] if name == "gzip" else order
            started = time.process_time()
            for row in rows:
                read(row)
            found.setdefault(name, []).append((time.process_time() - started) / len(rows))
        for number in workers:
            passes = iter(data_loader(drawn, StepOrder(clips, turn, 1, 1, range(2 * clips)), number))
            for _ in range(clips):  # the workers have started, and the batches ahead are made
                next(passes)
            started = time.perf_counter()
            for _ in range(clips):
                next(passes)
            found.setdefault(f"loader {number}", []).append((time.perf_counter() - started) / clips)
    return {name: seconds[1:] for name, seconds in found.items()}


def write(folder: Path, clips: int) -> dict[str, Read]:
    """The same clips in every version, and how each reads one."""
    random = np.random.default_rng(0)
    stored = {  # scaled like latents: gzip finds in them what it finds in real ones, next to nothing
        name: random.standard_normal((clips, *shape), dtype=np.float32).astype(np.float16)
        for name, shape in ROWS.items()
    }
    stored["text_mask"] = np.ones((clips, 32), dtype=bool)
    ids = [f"clip-{number}" for number in range(clips)]
    arrays = stored | {"prompt": np.arange(clips, dtype=np.int32), "caption": ids}
    meta = {"scaling_factor": 1.15, "initial_scaling_factor": 1.15}
    write_shard(folder / "ours.h5", "latents", arrays, ids, {}, {}, meta=meta)
    with h5py.File(folder / "gzip.h5", "w") as file:
        for name, array in stored.items():
            file.create_dataset(name, data=array[: clips // COMPRESSED], compression="gzip", chunks=True)
    for number in range(clips):
        clip = {name: array[number] for name, array in stored.items()}
        torch.save({name: torch.from_numpy(array.copy()) for name, array in clip.items()}, folder / f"{number}.pt")
        np.savez(folder / f"{number}.npz", **clip)
    shard = Shard(folder / "ours.h5")
    compressed = h5py.File(folder / "gzip.h5", locking=False)

    def ours(row: int) -> object:
        table = int(shard["prompt"][row])
        return [shard[name][table if name in TABLES else row] for name in stored]

    def npz(row: int) -> object:
        with np.load(folder / f"{row}.npz") as arrays:
            return [arrays[name] for name in stored]

    return {
        "ours": ours,
        "pt": lambda row: torch.load(folder / f"{row}.pt", weights_only=True),
        "npz": npz,
        "gzip": lambda row: [compressed[name][row] for name in stored],
    }


if __name__ == "__main__":
    main()
