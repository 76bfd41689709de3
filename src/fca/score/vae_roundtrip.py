"""The VAE reconstruction bound: the validation clips through the VAE and back, scored like predictions.

Every prediction comes from this decoder, so no model can be expected to exceed the reconstruction of known latents. The
bound is measured at the paper's 16 frames, and at 17, a length of the form 4k + 1 that CogVideoX's VAE expects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from numpy.typing import NDArray
from tqdm import tqdm

from fca.artifacts.fingerprint import made_by
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.encode.captions import half
from fca.encode.vae import decode, load_vae, posterior
from fca.errors import FcaError
from fca.score.features import FeatureNetwork, load_network
from fca.score.interval import resampling_counts
from fca.score.pairs import Clips, require_made_of, require_two, with_initial_frames
from fca.score.pixels import psnr, ssim
from fca.score.protocol import check, protocol, protocol_sha256
from fca.score.score import Measured, common_scores, rounded, write_json

MEANING = {
    "": "the cached posterior mean of the clip (float16), decoded: what a perfect prediction of the latents would give",
    "_doubled": "the first frame doubled, so that the VAE sees 4k + 1; posterior mean, decoded, first frame dropped",
}


@dataclass(frozen=True)
class RoundTripBatch:
    """Some clips and their reconstructions, each (b, F, H, W, 3) uint8."""

    ids: list[str]
    truth: Clips
    rebuilt: Clips
    doubled: Clips
    """From the clip with its first frame doubled, without the first decoded frame."""


class RoundTrips:
    """The validation clips of a dataset with their latents. Opening checks that they belong together."""

    def __init__(self, config: Config, dataset: str) -> None:
        layout = Layout(config)
        self.parents: dict[str, str] = {}
        self.quarantine: list[Quarantine] = []
        self._parts: list[tuple[Shard, Shard]] = []
        for number in layout.shards(dataset, "validation"):
            truth = Shard(layout.clips(dataset, "validation", number), kind="clips")
            latents = Shard(layout.latents(dataset, "validation", number), kind="latents")
            if truth.ids != latents.ids:
                raise FcaError(
                    f"{latents.path} does not belong to {truth.path}: their clips differ",
                    "one latent for each clip",
                    f"remove {latents.path} and its manifest, and run `fca encode` for this shard again",
                )
            require_made_of(latents, layout, truth)
            for shard in (truth, latents):
                self.parents[shard.path.relative_to(layout.root).as_posix()] = shard.manifest.sha256
            self.quarantine += truth.manifest.quarantine
            self._parts.append((truth, latents))
        require_two(dataset, len(self))

    def __len__(self) -> int:
        return sum(len(truth) for truth, _ in self._parts)

    def batches(
        self, encoder: AutoencoderKLCogVideoX, decoder: AutoencoderKLCogVideoX, size: int
    ) -> Iterator[RoundTripBatch]:
        """All clips in the order of the dataset's list, `size` at a time."""
        for truth, latents in self._parts:
            with truth, latents:
                for start in range(0, len(truth), size):
                    pixels, ids = truth.frames[start : start + size], truth.ids[start : start + size]
                    mean = torch.from_numpy(latents["mean"][start : start + size])
                    longer = torch.from_numpy(np.concatenate([pixels[:, :1], pixels], axis=1))
                    longer_mean = torch.from_numpy(half("mean", posterior(encoder, longer, ids)[0], ids))
                    rebuilt = rebuild(decoder, mean, ids), rebuild(decoder, longer_mean, ids)[:, 1:]
                    yield RoundTripBatch(ids, pixels, *rebuilt)


def rebuild(vae: AutoencoderKLCogVideoX, mean: torch.Tensor, clips: Sequence[str] = ()) -> Clips:
    """Posterior means (b, C, f, h, w), unscaled -> frames (b, F, H, W, 3) uint8; 4 f frames, or 4 (f - 1) + 1."""
    scaled = mean.float().to(vae.device) * vae.config.scaling_factor
    return decode(vae, scaled.transpose(1, 2), clips).numpy()


def score_vae_roundtrip(config: Config, dataset: str) -> Path:
    """Score the VAE's round trip of the validation clips of a dataset; return the file's path.

    Clips are encoded in `encode.precision` and decoded in `sample.precision`, like latents and predictions. The same
    clips, configuration and networks give the same bytes.

    Raises:
        FcaError: clips or latents are missing or don't belong together.
    """
    trips = RoundTrips(config, dataset)
    network = load_network(config.features.network, config.features.sha256)
    check(config, network)
    encoder = load_vae(config.base, config.encode.precision)
    same = config.encode.precision == config.sample.precision
    decoder = encoder if same else load_vae(config.base, config.sample.precision)
    initial = config.datasets[dataset].initial_frames

    measured = measure(trips, encoder, decoder, network, config, initial)
    stated = protocol(config, dataset, network, len(trips))
    counts = resampling_counts(len(trips), config.score.bootstrap, config.seed)

    def results(ours: Measured, meaning: str) -> dict[str, Any]:
        return {
            "meaning": meaning,
            "scores": common_scores(ours, network.name, config, dataset, counts),
            "psnr_per_frame": ours.psnr.mean(0),
            "ssim_per_frame": ours.ssim.mean(0),
        }

    frames = config.clip.frames
    values = {
        "dataset": dataset,
        "count": len(trips),
        "round_trips": {
            str(frames + len(name[:1])): results(ours, MEANING[name])
            for name, ours in zip(MEANING, measured, strict=True)
        },
        "protocol": stated,
        "protocol_sha256": protocol_sha256(stated),
        "feature_network": {"name": network.name, "sha256": network.sha256},
        "quarantine": [asdict(row) for row in trips.quarantine],
        "parents": trips.parents,
        "made_by": made_by(config, "score_vae_roundtrip", dataset),
    }
    return write_json(Layout(config).vae_roundtrip(dataset), rounded(values))


def measure(
    trips: RoundTrips,
    encoder: AutoencoderKLCogVideoX,
    decoder: AutoencoderKLCogVideoX,
    network: FeatureNetwork,
    config: Config,
    initial: int,
) -> tuple[Measured, Measured]:
    """Measure both round trips as `fca.score.score.measure` does, with PSNR and SSIM of all frames (n, F)."""
    truth: list[NDArray[np.float64]] = []
    made: tuple[list[Any], list[Any]] = ([], [])
    size = config.sample.batch_size
    with tqdm(total=len(trips), desc="score the VAE", unit="clip", disable=None) as bar:
        for batch in trips.batches(encoder, decoder, size):
            truth.append(network.features(batch.truth, size, batch.ids))
            for rows, clips in zip(made, (batch.rebuilt, batch.doubled), strict=True):
                scored = network.features(with_initial_frames(clips, batch.truth, initial), size, batch.ids)
                pairs = list(zip(clips, batch.truth, strict=True))
                psnrs = np.stack([psnr(one, other) for one, other in pairs])
                ssims = np.stack([ssim(one, other) for one, other in pairs])
                rows.append((scored, network.features(clips, size, batch.ids), psnrs, ssims))
            bar.update(len(batch.truth))

    of_truth = np.concatenate(truth)
    columns = [[np.concatenate(column) for column in zip(*rows, strict=True)] for rows in made]
    first, second = (Measured(of_truth, scored, raw, psnrs, ssims) for scored, raw, psnrs, ssims in columns)
    return first, second
