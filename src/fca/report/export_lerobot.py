"""Predictions of a variant as a LeRobot dataset, for its visualiser and whoever trains on it."""

from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from fca.config import Config
from fca.data.datasets.lerobot.write import Episode, write_lerobot
from fca.errors import FcaError
from fca.score.pairs import Pairs

PREDICTED, GROUND_TRUTH = "observation.images.predicted", "observation.images.ground_truth"


def export_lerobot(
    config: Config, dataset: str, variant: str, folder: Path, fps: int, ground_truth: bool = False,
    camera: str = PREDICTED,
) -> int:  # fmt: skip
    """Write the predictions of a dataset's validation clips; return their number.

    An episode is a prediction, initial frames included, with its caption as task. `ground_truth`: the clip itself is
    a second camera.

    Raises:
        FcaError: there are no predictions, or the folder exists.
    """
    if ground_truth and camera == GROUND_TRUTH:
        raise FcaError(f"the camera {camera} is the ground truth's", "another name for predictions")
    pairs = Pairs(config, dataset, variant, "validation")

    def episodes() -> Iterator[Episode]:
        with tqdm(total=len(pairs), desc=f"{dataset} {variant}: export", unit="clip") as bar:
            for batch in pairs.batches(1):
                frames = {camera: batch.prediction[0]} | ({GROUND_TRUTH: batch.truth[0]} if ground_truth else {})
                yield frames, batch.captions[0]
                bar.update()

    return write_lerobot(folder, episodes(), fps)
