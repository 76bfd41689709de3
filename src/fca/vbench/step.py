"""The step `vbench`: the predictions of a variant, or the ground truth, through the official package; then the means.

Each shard becomes videos, which `official.py` scores in VBench's own environment. The rows of a shard (one per clip)
are stored, so a killed run continues with the next shard; they are reused until something changes that affects them.
"""

import hashlib
import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fca.artifacts.atomic import remove, require_space, sha256_file
from fca.artifacts.fingerprint import made_by
from fca.artifacts.fingerprint.weights import weights_hash
from fca.config import Config, Layout
from fca.config.vbench import DIMENSIONS, GROUND_TRUTH, VBench
from fca.errors import FcaError, Killed
from fca.score.interval import mean_interval, resampling_counts
from fca.score.pairs import Pairs, require_enough, with_initial_frames
from fca.score.protocol import protocol_sha256
from fca.score.score import write_json
from fca.vbench.weights import dimensions, python_of, request, require
from fca.video.write import FRAMES_PER_SECOND, write_frames

SCRIPT = Path(__file__).with_name("official.py")
REFUSED = 3
SCORED = {
    "truth": "all frames; given ones of predictions are the truth's, as for FVD",
    "model": "all frames as the model made them",
}
"""The paper doesn't say which frames Table 6 is about."""


def vbench(config: Config, dataset: str, row: str) -> Path:
    """Measure `row` (a variant or `truth`) on the validation clips of a dataset; return the path of the result.

    Raises:
        FcaError: VBench is not configured for this dataset, its environment or weights are missing or unexpected,
            shards are missing or damaged, or the package fails.
    """
    settings = configured(config, dataset, row)
    require(settings)
    expected = request(settings)
    layout = Layout(config)

    shards = []
    numbers = layout.shards(dataset, "validation")
    for number in tqdm(numbers, desc=f"vbench {dataset} {row}", unit="shard"):
        path = layout.vbench_shard(dataset, row, number)
        pairs = Pairs(config, dataset, None if row == GROUND_TRUTH else row, "validation", [number])
        inputs = {
            "protocol": protocol(config, settings, dataset),
            "parents": pairs.parents,
            "weights": [weights_hash(config, "vbench"), expected],
            "adapter": [sha256_file(SCRIPT), sha256_file(SCRIPT.with_name("dino.py"))],
        }
        shards.append(stored_rows(path, inputs) or measure(config, settings, pairs, path, inputs))
        shards[-1]["quarantine"] = [asdict(item) for item in pairs.quarantine]

    return write_json(layout.vbench(dataset, row), summary(config, dataset, row, shards))


def configured(config: Config, dataset: str, row: str) -> VBench:
    """The settings of VBench; `FcaError` if it is not configured for the dataset, or a variant is called truth."""
    settings = config.score.vbench
    if settings is None:
        raise FcaError("VBench is not configured", "score.vbench", "add `vbench: {}` to the configuration's `score`")
    if not settings.measures(dataset):
        raise FcaError(f"VBench is not measured on {dataset}", "a dataset of score.vbench.datasets", "add it there")
    if GROUND_TRUTH in config.every_variant:
        raise FcaError(
            f"a variant is called {GROUND_TRUTH!r}",
            f"another name: VBench's row of the ground truth is {GROUND_TRUTH!r}",
        )
    return settings


def clips_of(pairs: Pairs, given_frames: str) -> Iterator[tuple[str, str, NDArray[np.uint8]]]:
    """Id, caption and pixels (F, H, W, 3) of every clip as it is scored, in the order of the dataset's list."""
    for batch in pairs.batches(1):
        frames = batch.prediction
        if given_frames == "truth":
            frames = with_initial_frames(frames, batch.truth, pairs.initial_frames)
        yield batch.ids[0], batch.captions[0], frames[0]


def protocol(config: Config, settings: VBench, dataset: str) -> dict[str, Any]:
    """Everything that is needed to compare these numbers with others; the same for every row of a dataset."""
    return {
        "package": "vbench, official functions",
        "prompts": "the clips' own captions (custom prompts, section C.1)",
        **config.clip.model_dump(include={"frames", "height", "width", "resize"}),
        "initial_frames": config.datasets[dataset].initial_frames,
        "scored": SCORED[settings.given_frames],
        "codec": codec_name(settings.crf),
        "imaging_quality": "MUSIQ (SPAQ), preprocessing mode longer, divided by 100",
        "device": settings.device,
    }


def stored_rows(path: Path, inputs: dict[str, Any]) -> dict[str, Any] | None:
    """The rows of an earlier run if they were made from the same inputs."""
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return stored if stored["inputs"] == json.loads(json.dumps(inputs)) else None
    except (ValueError, KeyError, TypeError):
        return None  # damaged, so it is measured again


def measure(config: Config, settings: VBench, pairs: Pairs, path: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Write the videos of a shard, run the official functions on them, store the rows at `path`, remove the videos."""
    videos = path.with_name(f"{path.stem}-videos")
    remove(videos)
    if not len(pairs):  # the package divides by the number of clips
        return {"rows": [], "inputs": inputs}
    require_space(videos, len(pairs) * config.clip.frames * config.clip.height * config.clip.width * 3)
    videos.mkdir(parents=True)

    try:
        clips, captions = [], {}
        for position, (name, caption, frames) in enumerate(clips_of(pairs, settings.given_frames)):
            video = videos.absolute() / f"{position:06d}.mp4"
            write_video(frames, video, settings.crf)
            captions[name] = caption
            sha256 = pixels_sha256(frames) if settings.crf is None else None
            clips.append({"id": name, "path": str(video), "prompt": caption, "frames": len(frames), "sha256": sha256})
        asked = {"device": settings.device, "dimensions": dimensions(settings), "weights": request(settings)}
        answer = run_official(settings, asked | {"clips": clips}, videos)
    finally:
        remove(videos)

    rows = [row | {"caption": captions[row["id"]]} for row in answer["rows"]]
    stored = answer | {"rows": rows, "inputs": inputs}
    write_json(path, stored)
    return stored


def codec_name(crf: int | None) -> str:
    """What the protocol says about the codec."""
    if crf is None:
        return "H.264 without loss (libx264rgb, qp 0, RGB), MP4, 8 frames/s; pixels verified through both readers"
    return f"H.264 (libx264, crf {crf}, preset medium, no B-frames, yuv420p), MP4, 8 frames/s; with loss"


def write_video(frames: NDArray[np.uint8], path: Path, crf: int | None = None) -> None:
    """Write (F, H, W, 3) uint8 RGB to an MP4, at CogVideoX's rate; the same frames give the same bytes.

    VBench reads with decord and with OpenCV. H.264 at quantiser 0 in RGB is what both give back pixel by pixel at every
    size (PNG in MP4 fails in decord at some); `official.py` compares hashes of what each reads before scoring.
    """
    options = {"qp": "0", "preset": "veryfast"} if crf is None else {"crf": str(crf), "preset": "medium"}
    options["bf"] = "0"  # with B-frames this x264 doesn't always give the same bytes
    write_frames(frames, path, "libx264rgb" if crf is None else "libx264", options, FRAMES_PER_SECOND)


def pixels_sha256(frames: NDArray[np.uint8]) -> str:
    """sha256 of the pixels (F, H, W, 3) uint8 RGB, in order."""
    return hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()


def run_official(settings: VBench, asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The answer of `official.py`, run by VBench's own interpreter; its progress goes to standard error."""
    question, answer = folder / "request.json", folder / "answer.json"
    question.write_text(json.dumps(asked), encoding="utf-8")
    command = [str(python_of(settings)), "-P", str(SCRIPT), str(question), str(answer)]
    status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
    if status == REFUSED:
        raise FcaError(*json.loads(answer.read_text(encoding="utf-8"))["refused"])
    if status == -signal.SIGKILL:
        raise Killed("the official VBench package was killed (SIGKILL)", remedy="run the same command again")
    if status != 0 or not answer.is_file():
        raise FcaError(
            f"the official VBench package failed (exit status {status}); its messages are above",
            remedy=f"if its environment is damaged, remove {settings.environment} and run `make vbench-env`",
        )
    return json.loads(answer.read_text(encoding="utf-8"))


def summary(config: Config, dataset: str, row: str, shards: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of every dimension over all clips with its interval, and the rows behind it."""
    rows = [clip for shard in shards for clip in shard["rows"]]
    require_enough(config, dataset, len(rows))
    scored = [shard for shard in shards if shard["rows"]]
    if len({json.dumps([shard["versions"], shard["weights"]], sort_keys=True) for shard in scored}) > 1:
        raise FcaError(
            f"the shards of {row} were measured with different versions of VBench's packages",
            "one environment for all shards",
            f"remove {Layout(config).vbench_shard(dataset, row, 0).parent} and run the same command again",
        )

    first = scored[0]
    counts = resampling_counts(len(rows), config.score.bootstrap, config.seed)
    scores = {}
    for name in [name for name in DIMENSIONS if name in first["package_means"]]:
        interval = mean_interval(np.array([clip[name] for clip in rows]), counts, config.score.confidence)
        scores[name] = {"value": interval.value, "low": interval.low, "high": interval.high}

    settings = {"clips": len(rows)} | first["inputs"]["protocol"] | {"versions": first["versions"]}
    return {
        "dataset": dataset,
        "row": row,
        "count": len(rows),
        "protocol": settings,
        "protocol_sha256": protocol_sha256(settings),
        "scores": scores,
        "interval": {"confidence": config.score.confidence, "resamplings": config.score.bootstrap, "seed": config.seed},
        "weights": first["weights"],
        "clips": rows,
        "quarantine": [item for shard in shards for item in shard["quarantine"]],
        "parents": {name: sha256 for shard in shards for name, sha256 in shard["inputs"]["parents"].items()},
        "made_by": made_by(config, "vbench", dataset, None if row == GROUND_TRUTH else row),
    }
