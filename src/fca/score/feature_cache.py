"""Features of clips, cached shard by shard: every metric uses the same values, and a killed job goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fca.artifacts.fingerprint.code import code_hash
from fca.artifacts.shards import Shard, reused, write_shard
from fca.score.features import ClipFeatures, FeatureNetwork


class FeatureCache:
    """The features of n clips, in order: from the cache file if it is valid, otherwise from the network.

    The file is valid if it is undamaged and was made of the same clips (`ids`, and `parents`: the shards' path ->
    sha256) with as many `initial_frames` (which may come from the ground truth or be repeated), by the same network
    with the same configuration and code. It is no output of the workflow: without it the same numbers take longer.

        cache = FeatureCache(path, network, ids, parents, initial_frames)
        features = cache.take(frames, batch_size)  # for one batch after another
        cache.save()
    """

    def __init__(
        self, path: Path, network: FeatureNetwork, ids: Sequence[str], parents: Mapping[str, str], initial_frames: int
    ) -> None:
        self.path, self.network = path, network
        self.ids, self.parents = list(ids), dict(parents)
        self.made_by = {
            "code": code_hash("score"),
            "network": network.sha256,
            "network_config": network.config.model_dump_json(),
            "initial_frames": str(initial_frames),
        }
        self.taken = 0
        self.computed: list[ClipFeatures] = []
        self.cached = self._load()

    def take(self, frames: NDArray[np.uint8], batch_size: int) -> ClipFeatures:
        """The features of the next clips (b, F, H, W, 3) uint8.

        Raises:
            FcaError: one isn't finite; nothing is cached.
        """
        rows = slice(self.taken, self.taken + len(frames))
        self.taken = rows.stop
        if self.cached is not None:
            return ClipFeatures(self.cached.features[rows], self.cached.logits[rows])
        self.computed.append(self.network.extract(frames, batch_size, self.ids[rows]))
        return self.computed[-1]

    def save(self) -> ClipFeatures:
        """Write the features if the network computed them, and return those of all clips."""
        if self.taken != len(self.ids):
            raise ValueError(f"{self.taken} of {len(self.ids)} clips were taken")
        if self.cached is None:
            widths = {"features": self.network.feature_width, "logits": self.network.config.class_count}
            columns = {
                name: np.concatenate([np.empty((0, width)), *(getattr(one, name) for one in self.computed)])
                for name, width in widths.items()
            }
            self.cached = ClipFeatures(**columns)
            write_shard(self.path, "features", columns, self.ids, self.parents, self.made_by)
        return self.cached

    def _load(self) -> ClipFeatures | None:
        found = reused(self.path, "features", self.parents, self.made_by)
        if found is None or found.ids != self.ids:
            return None
        with Shard(self.path) as shard:
            return ClipFeatures(shard["features"][:], shard["logits"][:])
