"""The protocol of a score: the settings that make two scores comparable, and the names that state them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fca.artifacts.text import flat
from fca.config import Config
from fca.errors import FcaError
from fca.score.features import FeatureNetwork
from fca.score.pixels import K1, K2, MOST_PSNR, SIGMA, WINDOW


@dataclass(frozen=True)
class Setup:
    """What the names and intervals of a set's scores depend on."""

    network: str
    """Name of the feature network"""
    frames: int
    """Frames of a clip"""
    initial_frames: int
    """How many of them were given to the model"""
    confidence: float
    resamplings: int
    seed: int
    """Of the resamplings"""
    split: str | None = None
    """Name of the dataset's split, if it has several"""

    @classmethod
    def of(cls, config: Config, dataset: str, network: FeatureNetwork) -> "Setup":
        """That of a dataset's variants."""
        settings, scoring = config.datasets[dataset], config.score
        counts = config.clip.frames, settings.initial_frames
        return cls(network.name, *counts, scoring.confidence, scoring.bootstrap, config.seed, settings.split_name)

    def name(self, metric: str, clips: int, raw: bool = False) -> str:
        """E.g. `fvd_i3d_2048x16f_gt2`: network, clips x frames, and 2 initial frames from the ground truth.

        `raw` names the score of clips as the model made them, `fvd_i3d_2048x16f_raw`. If a dataset has several splits,
        the split comes before that. There is no codec: frames are scored as they are stored, as uint8.
        """
        frames = "raw" if raw else f"gt{self.initial_frames}"
        split = [self.split] if self.split else []
        return "_".join([metric, self.network, f"{clips}x{self.frames}f", *split, frames])


def protocol_sha256(stated: Mapping[str, Any]) -> str:
    """Hex sha256 of the entries that two comparable numbers share: see `require_same_protocol`."""
    text = json.dumps(_of_the_value(stated), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check(
    frames: int, network: FeatureNetwork, settings: tuple[str, str] = ("clip.frames", "features.network")
) -> None:
    """Refuse clips that the feature network was not trained for, before any is read; `settings` name both."""
    trained_on = network.config.frames
    if trained_on is not None and frames not in (trained_on, trained_on + 1):
        raise FcaError(
            f"clips of {frames} frames can't be scored with {network.name}",
            f"clips of {trained_on} frames, as it was trained on, or one more, whose first it doesn't see",
            f"set {settings[0]} to that number, or {settings[1]} to another network",
        )


def protocol(config: Config, dataset: str, network: FeatureNetwork, clips: int) -> dict[str, Any]:
    """Everything that is needed to compare the scores of this file with others, as plain JSON values."""
    settings, seen = config.datasets[dataset], network.config.frames
    left_out = {} if seen in (None, config.clip.frames) else {"features_of": f"the last {seen} frames"}
    return {
        "clips": clips,
        "frames": config.clip.frames,
        "height": config.clip.height,
        "width": config.clip.width,
        "resize": config.clip.resize,
        "initial_frames": settings.initial_frames,
        "split": settings.split_name or "the dataset's own",
        **settings.stated,
        **left_out,
        "scored": "all frames, given ones replaced by the truth (Seer); _raw: as the model made them",
        "codec": "none: uint8 frames as they are stored",
        "truth": "clips after temporal cast and resize, never through the VAE",
        **computation(network, Setup.of(config, dataset, network)),
    }


def computation(network: FeatureNetwork, setup: Setup) -> dict[str, Any]:
    """The part of a protocol that says how each number is computed."""
    return {
        "feature_network": {**network.config.model_dump(), "dimensions": network.feature_width},
        "preprocess": "uint8; short side resized bilinear without antialias, long side rounded up; [-1, 1]",
        "fvd": "Frechet distance, unbiased covariances, whole set, float64",
        "fvd_seer": "fvd in float32 with roots by SVD, as Seer computes it",
        "kvd": "unbiased squared MMD, kernel (x.y/d + 1)^3, whole set, float64",
        "kvd_seer": "kvd of features centred set by set, as Seer computes it: blind to a shift of the mean",
        "psnr": f"mean over predicted frames of each frame's dB on uint8, at most {MOST_PSNR:g}",
        "ssim": f"gaussian {WINDOW}x{WINDOW}, sigma {SIGMA}, K1 {K1}, K2 {K2}, mean over channels",
        "interval": {
            "confidence": setup.confidence,
            "resamplings": setup.resamplings,
            "seed": setup.seed,
            "method": "bootstrap over clips, percentiles centred at the value; shares: Wilson",
            "caution": "FVD of few clips is biased upwards and its interval does not show that; "
            "bias is the first-order part of it (mean over random halves minus the value), and "
            "reference.fvd_truth_halves the FVD between random halves of the truth",
        },
    }


NOT_OF_THE_VALUE = ("interval.seed",)
"""Entries in which comparable numbers may differ: the seed decides only which resamplings make the interval."""


def require_same_protocol(a: Mapping[str, Any], b: Mapping[str, Any], names: tuple[str, str] = ("a", "b")) -> None:
    """Refuse to compare two numbers unless their stored protocols, called `names`, match.

    Raises:
        FcaError: the protocols differ; every difference is listed, as `feature_network.frames: 16 in a, 12 in b`.
    """
    one, other = _of_the_value(a), _of_the_value(b)
    differ = [
        f"{key}: {one.get(key, 'nothing')} in {names[0]}, {other.get(key, 'nothing')} in {names[1]}"
        for key in sorted(one | other)
        if key not in one or key not in other or one[key] != other[key]
    ]
    if differ:
        raise FcaError(
            f"the scores of {names[0]} and {names[1]} were not measured by the same protocol\n" + "\n".join(differ),
            "numbers of one protocol, since others are not comparable",
            "score both with the same settings",
        )


def _of_the_value(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that affect a number, under dotted names."""
    return {key: value for key, value in flat(stated).items() if key not in NOT_OF_THE_VALUE}
