"""The VAE reconstruction bound: the validation clips through the VAE and back, scored like predictions.

Every prediction comes from this decoder, so no model can be expected to exceed the reconstruction of known latents.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fca.artifacts.fingerprint import made_by
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.score.features import load_network
from fca.score.protocol import Setup, check, protocol, protocol_sha256
from fca.score.roundtrips import RoundTrips, measure_vae_roundtrip, round_trips
from fca.score.score import Measured, common_scores, joined, rounded, write_json


def score_vae_roundtrip(config: Config, dataset: str) -> Path:
    """Score the VAE's round trip of the validation clips of a dataset; return the file's path.

    Shards that aren't measured yet are. The same clips, configuration and networks give the same bytes.

    Raises:
        FcaError: clips or latents are missing or don't belong together.
    """
    trips = RoundTrips(config, dataset)
    network = load_network(config.features.network, config.features.sha256)
    check(config.clip.frames, network)
    meanings = round_trips(config)
    measured = _measured(
        [measure_vae_roundtrip(config, dataset, k) for k in Layout(config).shards(dataset, "validation")], meanings
    )
    stated = protocol(config, dataset, network, len(trips))
    setup = Setup.of(config, dataset, network)

    def results(ours: Measured, meaning: str) -> dict[str, Any]:
        return {
            "meaning": meaning,
            "scores": common_scores(ours, setup),
            "psnr_per_frame": ours.psnr.mean(0),
            "ssim_per_frame": ours.ssim.mean(0),
        }

    frames = config.clip.frames
    values = {
        "dataset": dataset,
        "count": len(trips),
        "round_trips": {
            str(frames + len(name[:1])): results(measured[name], meaning) for name, meaning in meanings.items()
        },
        "protocol": stated,
        "protocol_sha256": protocol_sha256(stated),
        "feature_network": {"name": network.name, "sha256": network.sha256},
        "quarantine": [asdict(row) for row in trips.quarantine],
        "parents": trips.parents,
        "made_by": made_by(config, "score_vae_roundtrip", dataset),
    }
    return write_json(Layout(config).vae_roundtrip(dataset), rounded(values))


def _measured(paths: Sequence[Path], names: Iterable[str]) -> dict[str, Measured]:
    """The round trips of all clips, by the endings of their columns, from the files of their shards."""
    parts: dict[str, list[Measured]] = {name: [] for name in names}
    for path in paths:
        with Shard(path, kind="roundtrips") as shard:
            for name, found in parts.items():
                columns = "truth", *(f"{column}{name}" for column in ("scored", "raw", "psnr", "ssim"))
                found.append(Measured(*(shard[column][:] for column in columns)))
    return {name: joined(found) for name, found in parts.items()}
