"""What the feature network says of clips, kept beside the scores, so that every metric reads the same numbers
and no clip goes through the network twice.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fca.artifacts.fingerprint.code import code_hash
from fca.artifacts.shards import Shard, manifest_path, write_shard
from fca.errors import FcaError
from fca.score.features import FeatureNetwork, Reading

log = logging.getLogger(__name__)


class Readings:
    """The readings of n clips, taken in their order: from the file of before, or from the network.

    The file counts only where it is whole and of the same clips (`ids`, and `parents`: the shards' path -> sha256),
    with as many given frames (`initial_frames`, which may be the truth's or repeated), by the same network, used in the
    same way, and by the same code. It is no result of the workflow: without it, the same numbers take longer.

        readings = Readings(path, network, ids, parents, initial_frames)
        reading = readings.take(frames)   # for batch after batch
        readings.keep()
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
        self.made: list[Reading] = []
        self.kept = self._kept()

    def take(self, frames: NDArray[np.uint8], batch_size: int) -> Reading:
        """The readings of the next clips (b, F, H, W, 3) uint8."""
        rows = slice(self.taken, self.taken + len(frames))
        self.taken = rows.stop
        if self.kept is not None:
            return Reading(self.kept.features[rows], self.kept.logits[rows])
        self.made.append(self.network.read(frames, batch_size))
        return self.made[-1]

    def all(self) -> Reading:
        """The readings of all clips, once every one was taken."""
        if self.taken != len(self.ids):
            raise ValueError(f"{self.taken} of {len(self.ids)} clips were taken")
        if self.kept is None:
            features = np.concatenate([reading.features for reading in self.made])
            self.kept = Reading(features, np.concatenate([reading.logits for reading in self.made]))
        return self.kept

    def keep(self) -> Reading:
        """Write what the network said, if it was asked, and return the readings of all clips."""
        reading = self.all()
        if self.made:
            columns = {"features": reading.features, "logits": reading.logits}
            write_shard(self.path, "readings", columns, self.ids, self.parents, self.made_by)
            self.made = []
        return reading

    def _kept(self) -> Reading | None:
        if not manifest_path(self.path).is_file():
            return None
        try:
            with Shard(self.path, kind="readings") as shard:
                found = shard.manifest
                if (shard.ids, found.parents, found.made_by) != (self.ids, self.parents, self.made_by):
                    return None
                shard.verify()
                return Reading(shard["features"][:], shard["logits"][:])
        except FcaError as error:
            log.warning("%s; its clips go through the network again", str(error).splitlines()[0])
            return None
