"""Tiny hand-made corpora in the three on-disk formats, and a configuration that reads them."""

import csv
import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fca.artifacts.atomic import sha256_file
from fca.artifacts.manifest import Manifest
from fca.config import Config, Dataset, Layout, load
from fca.config.dataset_formats import FORMATS
from fca.data.clip_record import Listing
from fca.data.datasets.reader import reader_of
from fca.data.fetch import unpack_library

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"  # the published annotation files; tests that need them skip without


def ramp(count: int, height: int = 48, width: int = 64) -> np.ndarray:
    """(count, height, width, 3) uint8: grey frames whose brightness, 4 x their number mod 60, says which they
    are.
    """
    levels = (4 * (np.arange(count) % 60)).astype(np.uint8).reshape(-1, 1, 1, 1)
    return np.broadcast_to(levels, (count, height, width, 3)).copy()


def write_video(path: Path, frames: np.ndarray, codec: str = "libvpx-vp9", rate: int = 12) -> None:
    """Write (n, H, W, 3) uint8 frames nearly without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.options = {"crf": "4", "b": "0", "deadline": "realtime", "cpu-used": "8"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def write_jpegs(folder: Path, frames: np.ndarray, name: str, numbers: Sequence[int] | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in zip(numbers or range(len(frames)), frames, strict=True):
        Image.fromarray(frame).save(folder / name.format(number), quality=95)


def write_ssv2(raw: Path, train: Sequence[tuple[str, str, int]], validation: Sequence[tuple[str, str, int]]) -> None:
    """Clips as (id, label, frames)."""
    (raw / "annotations").mkdir(parents=True)
    for split, clips in (("train", train), ("validation", validation)):
        entries = [{"id": name, "label": label, "template": "", "placeholders": []} for name, label, _ in clips]
        (raw / "annotations" / f"{split}.json").write_text(json.dumps(entries))
        for name, _, count in clips:
            write_video(raw / "videos" / f"{name}.webm", ramp(count))


def write_bridge(raw: Path, views: dict[str, int], order: Sequence[str]) -> None:
    """`views`: folder below berkeley/ -> number of frames; `order`: the entries of the list."""
    for folder, count in views.items():
        write_jpegs(raw / "raw/bridge_data_v1/berkeley" / folder, ramp(count), "im_{}.jpg")
    (raw / "path_id_bridgedata.txt").write_text(json.dumps(list(order)))


def write_epic(raw: Path, segments: dict[str, Sequence[tuple[str, int, int, str]]], frames: dict[str, int]) -> None:
    """`segments`: split -> (video, start, stop, narration); `frames`: video -> number of frames, from number
    1.
    """
    (raw / "annotations").mkdir(parents=True)
    for split, rows in segments.items():
        with open(raw / "annotations" / f"EPIC_100_{split}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["narration_id", "participant_id", "video_id", "start_frame", "stop_frame", "narration"])
            for number, (video, start, stop, narration) in enumerate(rows):
                writer.writerow([f"{video}_{split}{number}", video[:3], video, start, stop, narration])
    for video, count in frames.items():
        folder = raw / "EPIC-KITCHENS" / video[:3] / "rgb_frames" / video
        write_jpegs(folder, ramp(count), "frame_{:010d}.jpg", range(1, count + 1))


def config_for(folder: Path, form: str, train: int, validation: int, **more) -> Config:
    """The pocket configuration with one dataset, of that format, whose files lie in the raw folder
    already.
    """
    split = {"train": {"clips": train, "shard_clips": 4}, "validation": {"clips": validation, "shard_clips": 4}}
    own = {"initial_frames": 1, "train_steps": 1} if form in ("folder", "lerobot") else {}
    settings = {"format": form, "source": "archive", "root": "unused", "library": None, **own, **split} | more
    return load(ROOT / "config" / "pocket.yaml", {"data_dir": str(folder / "data"), "datasets": {form: settings}})


def pretend_fetched(config: Config, dataset: str) -> Path:
    """Write the raw manifest that `fca index` asks for; return the raw folder, which may not exist yet."""
    layout = Layout(config)
    layout.raw(dataset).parent.mkdir(parents=True, exist_ok=True)
    Manifest("raw", 1, [], "0" * 64, {}, {}, []).write(layout.raw_manifest(dataset))
    return layout.raw(dataset)


def files_below(folder: Path) -> Iterator[str]:
    yield from sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def listing_of(form: str, raw: Path, dataset: str, train: int, validation: int, seed: int = 0, **own) -> Listing:
    """The clips that a format's reader lists."""
    splits = {
        name: {"clips": clips, "shard_clips": 4} for name, clips in (("train", train), ("validation", validation))
    }
    fields = {"source": "archive", "root": str(raw), "initial_frames": 1, "train_steps": 1}
    settings = Dataset.model_validate({"format": form, **fields, **splits, **own})
    return reader_of(settings).index(raw, dataset, settings, seed)


def pretend_published(monkeypatch: pytest.MonkeyPatch, form: str, root: Path) -> None:
    """Take the hashes of a corpus' annotations for the published ones."""
    hashes = import_module(FORMATS[form].reader).READER.publication.sha256
    for name in hashes:
        monkeypatch.setitem(hashes, name, sha256_file(next(root.rglob(name))))


def library_settings(form: str, train: int, validation: int, **own: object) -> Dataset:
    """A dataset of clips of the library, in the format."""
    splits = {
        name: {"clips": clips, "shard_clips": 4} for name, clips in (("train", train), ("validation", validation))
    }
    library = {"train": train, "validation": validation}
    fields = {"source": "library", "library": library, "initial_frames": 1, "train_steps": 1}
    return Dataset.model_validate({"format": form, **fields, **splits, **own})


def write_corpus(form: str, root: Path, train: int, validation: int, **own: str) -> None:
    """Clips of the library in a format's own layout."""
    root.mkdir(parents=True)
    unpack_library(form, library_settings(form, train, validation, **own), root)
