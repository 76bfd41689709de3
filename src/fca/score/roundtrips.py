"""The VAE's round trips: validation clips, encoded and decoded by the VAE and measured, shard by shard.

Each clip is encoded once and decoded twice: the paper's 16 frames, and 17, a length of the form 4k + 1 that CogVideoX's
VAE expects. Clips that have such a length themselves are decoded once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from tqdm import tqdm

from fca.artifacts.fingerprint import made_by
from fca.artifacts.measured import measured
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard, reused, write_shard
from fca.config import Config, Layout
from fca.encode.captions import half
from fca.encode.vae import decode, load_vae, posterior
from fca.errors import FcaError
from fca.score.features import load_network
from fca.score.pairs import Clips, require_enough, require_made_of, with_initial_frames
from fca.score.pixels import psnr, ssim
from fca.score.protocol import check

MEANING = {
    "": "the cached posterior mean of the clip (float16), decoded: what a perfect prediction of the latents would give",
    "_doubled": "the first frame doubled, so that the VAE sees 4k + 1; posterior mean, decoded, first frame dropped",
}


def round_trips(config: Config) -> dict[str, str]:
    """Ending of a round trip's columns -> meaning. Clips of 4k + 1 frames need no doubled frame: they have one."""
    return MEANING if config.clip.frames % 8 == 0 else {"": MEANING[""]}


@dataclass(frozen=True)
class RoundTripBatch:
    """Some clips and their reconstructions, each (b, F, H, W, 3) uint8."""

    ids: list[str]
    truth: Clips
    rebuilt: Clips
    doubled: Clips | None
    """From the clip with its first frame doubled, without the first decoded frame; None for clips of 4k + 1 frames."""


class RoundTrips:
    """The validation clips of a dataset, or of some of its shards, with latents that are checked to be theirs."""

    def __init__(self, config: Config, dataset: str, shards: Sequence[int] | None = None) -> None:
        layout = Layout(config)
        self.parents: dict[str, str] = {}
        self.quarantine: list[Quarantine] = []
        self._parts: list[tuple[Shard, Shard]] = []
        self._doubles = "_doubled" in round_trips(config)
        for number in layout.shards(dataset, "validation") if shards is None else shards:
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
        if shards is None:
            require_enough(config, dataset, len(self))

    def __len__(self) -> int:
        return sum(len(truth) for truth, _ in self._parts)

    @property
    def ids(self) -> list[str]:
        return [name for truth, _ in self._parts for name in truth.ids]

    def batches(
        self, encoder: AutoencoderKLCogVideoX, decoder: AutoencoderKLCogVideoX, size: int
    ) -> Iterator[RoundTripBatch]:
        """All clips in the order of the dataset's list, `size` at a time."""
        for truth, latents in self._parts:
            with truth, latents:
                for start in range(0, len(truth), size):
                    pixels, ids = truth.frames[start : start + size], truth.ids[start : start + size]
                    mean = torch.from_numpy(latents["mean"][start : start + size])
                    doubled = None
                    if self._doubles:
                        longer = torch.from_numpy(np.concatenate([pixels[:, :1], pixels], axis=1))
                        longer_mean = torch.from_numpy(half("mean", posterior(encoder, longer, ids)[0], ids))
                        doubled = rebuild(decoder, longer_mean, ids)[:, 1:]
                    yield RoundTripBatch(ids, pixels, rebuild(decoder, mean, ids), doubled)


def rebuild(vae: AutoencoderKLCogVideoX, mean: torch.Tensor, clips: Sequence[str] = ()) -> Clips:
    """Posterior means (b, C, f, h, w), unscaled -> frames (b, F, H, W, 3) uint8; 4 f frames, or 4 (f - 1) + 1."""
    scaled = mean.float().to(vae.device) * vae.config.scaling_factor
    return decode(vae, scaled.transpose(1, 2), clips).numpy()


def measure_vae_roundtrip(config: Config, dataset: str, shard: int) -> Path:
    """Measure the round trips of a shard of validation clips, unless that was done before; return the file's path.

    Clips are encoded in `encode.precision` and decoded in `sample.precision`, like latents and predictions. The file
    has a row for each clip: `truth`, and for both round trips `scored` and `raw` (d,) float64, the features with and
    without initial frames from the ground truth, and `psnr` and `ssim` (F,) of all frames.

    Raises:
        FcaError: clips or latents are missing or don't belong together.
    """
    trips, path = RoundTrips(config, dataset, [shard]), Layout(config).vae_roundtrip_shard(dataset, shard)
    made = made_by(config, "measure_vae_roundtrip", dataset)
    if reused(path, "roundtrips", trips.parents, made, trips.quarantine):
        return path

    with measured(config, "vae-roundtrip", dataset, "", f"{shard:04d}") as work:
        arrays = _measured_columns(config, dataset, trips)
        write_shard(path, "roundtrips", arrays, trips.ids, trips.parents, made, trips.quarantine)
        work.clips, work.written = len(trips), path.stat().st_size
    return path


def _measured_columns(config: Config, dataset: str, trips: RoundTrips) -> dict[str, np.ndarray]:
    network = load_network(config.features.network, config.features.sha256)
    check(config.clip.frames, network)
    encoder = load_vae(config.base, config.encode.precision)
    same = config.encode.precision == config.sample.precision
    decoder = encoder if same else load_vae(config.base, config.sample.precision)

    initial, size = config.datasets[dataset].initial_frames, config.sample.batch_size
    widths = {"truth": network.feature_width}
    for name in round_trips(config):
        widths |= {f"scored{name}": network.feature_width, f"raw{name}": network.feature_width}
        widths |= {f"psnr{name}": config.clip.frames, f"ssim{name}": config.clip.frames}
    columns = {name: [np.empty((0, width))] for name, width in widths.items()}
    with tqdm(total=len(trips), desc="measure the VAE", unit="clip") as bar:
        for batch in trips.batches(encoder, decoder, size):
            columns["truth"].append(network.features(batch.truth, size, batch.ids))
            for name, clips in zip(MEANING, (batch.rebuilt, batch.doubled), strict=True):
                if clips is None:
                    continue
                first = with_initial_frames(clips, batch.truth, initial)
                columns[f"scored{name}"].append(network.features(first, size, batch.ids))
                columns[f"raw{name}"].append(network.features(clips, size, batch.ids))
                columns[f"psnr{name}"].append(np.stack([*map(psnr, clips, batch.truth)]))
                columns[f"ssim{name}"].append(np.stack([*map(ssim, clips, batch.truth)]))
            bar.update(len(batch.truth))
    return {name: np.concatenate(values) for name, values in columns.items()}
