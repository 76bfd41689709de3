"""Scores of any two folders of videos, without a configuration: `fca score-videos`.

The same functions as for variants (`fca.score.score`), on videos of the same name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fca.artifacts.quarantine import ClipError
from fca.config.models import Score
from fca.errors import FcaError
from fca.score.features import KINETICS, FeatureNetwork
from fca.score.pairs import Clips, with_initial_frames
from fca.score.pixels import WINDOW, flaw, psnr, ssim
from fca.score.protocol import Setup, check, computation, protocol_sha256
from fca.score.score import Measured, common_scores, joined, reference, rounded
from fca.video.decode import measure_video, read_frames
from fca.video.workers import call_apart

TEXTS = (".csv", ".json", ".jsonl", ".md", ".tsv", ".txt")
"""Files next to videos that are left out."""
SEED = 42
BATCH = 8
SHOWN = 5
"""Videos named in an error."""


@dataclass(frozen=True)
class VideoPairs:
    """Videos of two folders, paired by name; all with `frames` of one size, or more if they are cut."""

    names: tuple[str, ...]
    files: tuple[tuple[Path, Path], ...]
    """Ground truth and prediction of each name"""
    frames: int
    height: int
    width: int

    @classmethod
    def of(cls, truth: Path, predicted: Path, frames: int | None = None) -> "VideoPairs":
        """Open every video of both folders once, in processes of their own.

        Args:
            frames: take the first ones of each video; None: all videos have the same number.

        Raises:
            FcaError: a folder or a partner is missing, fewer than two pairs, or a video is unreadable, too short, or of
                another length or size than the first.
        """
        names, files = _by_name(truth, predicted)
        both = [path for pair in files for path in pair]
        shapes = _opened(both)
        count, height, width = shapes[0]

        odd = [path for path, shape in zip(both, shapes, strict=True) if shape[1:] != (height, width)]
        if odd:
            raise FcaError(
                f"{_listed(odd)}: other sizes than {both[0]}",
                f"frames of {width}x{height} pixels, as the first ground-truth video has",
                "resize the videos of one folder without loss",
            )
        if min(height, width) < WINDOW:
            raise FcaError(f"{both[0]}: frames of {width}x{height}", f"{WINDOW} pixels or more, as SSIM's window has")

        lengths = [shape[0] for shape in shapes]
        wrong = [n < frames if frames else n != count for n in lengths]
        if any(wrong):
            others = [
                f"{path} ({length} frames)" for path, length, bad in zip(both, lengths, wrong, strict=True) if bad
            ]
            raise FcaError(
                f"{_listed(others)}: {'too short' if frames else f'not as long as {both[0]}'}",
                f"{frames or count} frames{' or more' if frames else ''} in every video",
                f"--frames {min(lengths)} scores the first {min(lengths)} of each",
            )
        return cls(names, files, frames or count, height, width)

    def batches(self, size: int) -> Iterator[tuple[Sequence[str], Clips, Clips]]:
        """Names, ground truth and predictions (b, F, H, W, 3) uint8 of at most `size` pairs at a time."""
        read = call_apart(read_frames, [(path, range(self.frames)) for pair in self.files for path in pair])
        for start in range(0, len(self.names), size):
            names = self.names[start : start + size]
            clips = np.stack([_whole(next(read)) for _ in range(2 * len(names))])
            yield names, clips[0::2], clips[1::2]


def score_videos(pairs: VideoPairs, given: int, network: FeatureNetwork) -> dict[str, Any]:
    """FVD, KVD, PSNR and SSIM of pairs of videos, with intervals and their protocol, as plain JSON values.

    Args:
        given: how many frames at the start the model was given: replaced by ground truth for FVD and KVD, left out of
            PSNR and SSIM.

    Raises:
        FcaError: no frame is predicted, or the network was trained on another number of frames.
    """
    if not 0 <= given < pairs.frames:
        raise FcaError(f"--given {given} of {pairs.frames} frames", f"a number from 0 to {pairs.frames - 1}")
    check(pairs.frames, network, ("--frames", "--features"))
    settings = Score(batch_size=BATCH)
    setup = Setup(network.name, pairs.frames, given, settings.confidence, settings.bootstrap, SEED)

    with tqdm(total=len(pairs.names), desc="score", unit="clip", disable=None) as bar:
        parts = []
        for names, truth, prediction in pairs.batches(settings.batch_size):
            parts.append(_measured(names, truth, prediction, given, network))
            bar.update(len(names))
    measured = joined(parts)

    stated = stated_protocol(pairs, network, setup)
    return rounded(
        {
            "count": len(pairs.names),
            "protocol": stated,
            "protocol_sha256": protocol_sha256(stated),
            "feature_network": {"name": network.name, "sha256": network.sha256},
            "scores": common_scores(measured, setup),
            "reference": {"fvd_truth_halves": reference(measured, setup)["fvd_truth_halves"]},
            "psnr_per_frame": measured.psnr.mean(0),
            "ssim_per_frame": measured.ssim.mean(0),
            "clips": measured.clips,
        }
    )


def stated_protocol(pairs: VideoPairs, network: FeatureNetwork, setup: Setup) -> dict[str, Any]:
    """Everything that two comparable numbers share."""
    return {
        "clips": len(pairs.names),
        "frames": pairs.frames,
        "height": pairs.height,
        "width": pairs.width,
        "resize": "none: frames as the videos have them",
        "initial_frames": setup.initial_frames,
        "split": "the files of the two folders, paired by name",
        "scored": "all frames, given ones replaced by the truth (Seer); _raw: as the predicted videos have them",
        "codec": "frames as decoded, RGB uint8: a lossy codec of either folder is part of the numbers",
        "truth": "the ground-truth videos, first frames first",
        **computation(network, setup),
    }


def comparable(network: FeatureNetwork) -> bool:
    """Whether published FVDs are of this network: the Kinetics I3D."""
    return network.config == KINETICS


def _measured(names: Sequence[str], truth: Clips, prediction: Clips, given: int, network: FeatureNetwork) -> Measured:
    first = with_initial_frames(prediction, truth, given)
    predicted, expected = prediction[:, given:], truth[:, given:]
    of_frames = np.stack([*map(psnr, predicted, expected)]), np.stack([*map(ssim, predicted, expected)])
    clips = [
        {"id": name, "psnr": of_frames[0][row].mean(), "ssim": of_frames[1][row].mean(),
         "flaw": flaw(predicted[row], expected[row])}
        for row, name in enumerate(names)
    ]  # fmt: skip
    seen = [network.features(one, BATCH, names) for one in (truth, first, prediction)]
    return Measured(seen[0], seen[1], seen[2], *of_frames, clips)


def _by_name(truth: Path, predicted: Path) -> tuple[tuple[str, ...], tuple[tuple[Path, Path], ...]]:
    """Names in their order, and the two files of each."""
    own, other = _videos(truth), _videos(predicted)
    alone = [own[name] for name in own.keys() - other.keys()] + [other[name] for name in other.keys() - own.keys()]
    if alone:
        raise FcaError(
            f"{_listed(sorted(alone))}: no partner in the other folder",
            "for each video one of the same name in both folders; the suffix may differ",
            "rename, add or remove files: none is left out silently",
        )
    if len(own) < 2:
        raise FcaError(f"{truth}: {len(own)} videos", "at least 2, because FVD and KVD compare sets of videos")
    names = tuple(sorted(own))
    return names, tuple((own[name], other[name]) for name in names)


def _videos(folder: Path) -> dict[str, Path]:
    """The files of a folder by their names without suffix; hidden files, texts and folders are left out."""
    if not folder.is_dir():
        raise FcaError(f"{folder}: no such folder", "a folder of videos")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() in TEXTS or path.is_dir():
            continue
        if path.stem in found:
            raise FcaError(f"{found[path.stem]} and {path}: two videos of one name", "names that differ")
        found[path.stem] = path
    return found


def _opened(paths: Sequence[Path]) -> list[tuple[int, int, int]]:
    """(frames, height, width) of each video."""
    shapes, broken = [], []
    measured = call_apart(measure_video, [(path,) for path in paths])
    for path, shape in zip(paths, tqdm(measured, "open", len(paths), unit="video", disable=None), strict=True):
        if isinstance(shape, ClipError):
            broken.append(f"{path}: {shape}")
        else:
            shapes.append(shape)
    if broken:
        more = [f"and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else []
        raise FcaError(
            "\n".join([*broken[:SHOWN], *more]), "videos that decode to their end", "write them again, or remove both"
        )
    return shapes


def _whole(frames: Clips | ClipError) -> Clips:
    if isinstance(frames, ClipError):
        raise FcaError(f"a video changed while it was scored: {frames}", remedy="run the same command again")
    return frames


def _listed(videos: Sequence[Path | str]) -> str:
    more = f" and {len(videos) - SHOWN} more" if len(videos) > SHOWN else ""
    return ", ".join(map(str, videos[:SHOWN])) + more
