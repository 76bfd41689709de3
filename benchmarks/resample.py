"""Resampling of clips: the project's way against Seer's, and memory over many clips. `python -m benchmarks.resample`

Seer decodes and resizes every frame (Pillow, bilinear), then interpolates the stack over time; here only the frames
that the interpolation needs are decoded, they are blended first, and only the result is resized. Both on one thread,
by turns, ours with PyAV and Seer's with decord; Seer's scaling to [-1, 1] and its folder of JPEGs are left out.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av  # noqa: F401 -- after decord's libvpx PyAV's own can't be loaded
import decord
import numpy as np
import psutil
import torch
import torch.nn.functional as F
from PIL import Image

from benchmarks import measure
from fca.data.clip_pixels import Shape, resample_clip
from fca.data.clip_record import ClipRecord
from fca.video.workers import call_apart
from fca.video.write import Codec, video_writer

SHAPE = Shape(16, 720, 480, "stretch")
WANTED = 4.0
CLIPS = {
    "50 frames of 427x240, VP9": ("a.webm", "libvpx-vp9", 50, 240, 427),
    "300 frames of 640x480, H.264": ("b.mp4", "libx264", 300, 480, 640),
}
SMALL = Shape(16, 96, 64, "stretch")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repetitions", type=int, default=5, help="timed runs of each; the median is reported")
    options.add_argument("--clips", type=int, default=2000, help="clips of the measurement of memory")
    options.add_argument("--out", type=Path, help="write everything measured to this JSON file")
    options = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [compare(Path(folder), name, options.repetitions) for name in CLIPS]
        memory = memory_over(Path(folder), options.clips)
    if options.out is not None:
        options.out.write_text(json.dumps({"rows": rows, "memory_mib": memory}, indent=1) + "\n")
    slow = [row["clip"] for row in rows if row["ratio"] < WANTED]
    if slow:
        raise SystemExit(f"less than {WANTED:g} times as fast as Seer's way: {', '.join(slow)}")


def compare(folder: Path, name: str, repetitions: int) -> dict[str, Any]:
    """Seconds of both ways for one clip, and how far their pixels differ."""
    file, codec, count, height, width = CLIPS[name]
    write(folder / file, codec, moving(count, height, width))
    record = ClipRecord(file, "benchmark", "train", "", file, None, count)
    results: dict[str, np.ndarray] = {}

    def keep(way: str, run: Callable[[], np.ndarray]) -> None:
        results[way] = run()

    runs: dict[str, measure.Run] = {
        "ours": lambda: keep("ours", lambda: resample_clip(folder, record, None, SHAPE)[0]),
        "seer": lambda: keep("seer", lambda: seers_way(folder / file)),
    }
    times = measure.alternating(runs, repetitions, 1, torch.device("cpu"))
    ours, seer = (statistics.median(times[way]) for way in ("ours", "seer"))
    difference = np.abs(results["ours"].astype(int) - results["seer"])
    assert difference.max() <= 1, f"{name}: pixels differ by {difference.max()} levels"
    apart = through_a_process(folder, record, repetitions)
    print(f"{name}: ours {ours:.3f} s ({apart:.3f} s through one process), Seer's way {seer:.3f} s: x{seer / ours:.1f}")
    print(f"  largest difference {difference.max()} of 255 levels, in {(difference > 0).mean():.1%} of the values")
    return {
        "clip": name,
        "seconds": ours,
        "seconds_through_a_process": apart,
        "seconds_seer": seer,
        "ratio": seer / ours,
        "ratio_through_a_process": seer / apart,
        "seconds_all": times,
        "largest_difference": int(difference.max()),
        "share_that_differs": float((difference > 0).mean()),
    }


def seers_way(path: Path) -> np.ndarray:
    """(16, 480, 720, 3) uint8: SeerVideoLDM's transform of every frame and `cast_num_frames`."""
    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    frames = reader.get_batch(range(len(reader))).asnumpy()
    size = SHAPE.width, SHAPE.height
    resized = [np.array(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)) for frame in frames]
    video = torch.stack([torch.from_numpy(frame).permute(2, 0, 1).float() for frame in resized], dim=1)  # (3, n, H, W)
    cast = F.interpolate(video[None], size=(SHAPE.frames, *video.shape[2:]), mode="trilinear")[0]
    return cast.add_(0.5).floor_().clamp_(0, 255).byte().permute(1, 2, 3, 0).numpy()


def through_a_process(folder: Path, record: ClipRecord, repetitions: int) -> float:
    """Seconds of one clip with the process boundary, its start left out; pixels come back through a pipe."""
    answers = call_apart(resample_clip, [(folder, record, None, SHAPE)] * (4 * repetitions + 1), 1)
    next(answers)

    def rest() -> None:
        for frames, _ in answers:
            assert frames.shape == (16, 480, 720, 3)

    return measure.seconds(rest, torch.device("cpu")) / (4 * repetitions)


def memory_over(folder: Path, clips: int) -> dict[str, list[float]]:
    """Resident MiB of this process and of the decoder's, after ever more small clips."""
    records = []
    for number in range(20):
        write(folder / f"{number}.webm", "libvpx-vp9", moving(20 + number, 120, 160))
        records.append(ClipRecord(str(number), "benchmark", "train", "", f"{number}.webm", None, 20 + number))
    calls = ((folder, records[number % len(records)], None, SMALL) for number in range(clips))
    job = psutil.Process()
    found: dict[str, list[float]] = {"clips": [], "job": [], "decoder": []}
    for number, (frames, _) in enumerate(call_apart(resample_clip, calls, 1), start=1):
        assert frames.shape == (16, 64, 96, 3)
        if number % max(1, clips // 10) == 0 and number < clips:
            decoder = max(child.memory_info().rss for child in job.children())
            found["clips"].append(number)
            found["job"].append(job.memory_info().rss / 2**20)
            found["decoder"].append(decoder / 2**20)
    print("resident memory, MiB")
    for name, values in found.items():
        print(f"{name:8}" + "".join(f"{value:8.0f}" for value in values))
    return found


def moving(count: int, height: int, width: int) -> Iterator[np.ndarray]:
    """Frames (height, width, 3) uint8: waves that travel, and a pattern of squares that crosses them."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    squares = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    squares = squares.repeat(8, 0).repeat(8, 1)[: height // 3, : width // 3]
    for number in range(count):
        waves = [(columns + 3 * number) / 17, (rows - 2 * number) / 23, (columns + rows + number) / 31]
        frame = (128 + 100 * np.sin(np.stack(waves, axis=-1))).astype(np.uint8)
        left = 2 * number % (width // 2)
        frame[height // 4 :, left:][: squares.shape[0], : squares.shape[1]] = squares
        yield frame


def write(path: Path, codec: Codec, frames: Iterator[np.ndarray]) -> None:
    options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx-vp9" else {}
    first = next(frames)
    with video_writer(path, codec, options, first.shape[1], first.shape[0], 12) as put:
        for frame in (first, *frames):
            put(frame)


if __name__ == "__main__":
    main()
