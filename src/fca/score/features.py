"""The feature network behind FVD, KVD and task accuracy, with VideoGPT's preprocessing.

It is either a folder with `config.json` and `model.safetensors` (what `fca.pocket.features` writes), or the file
`i3d_pretrained_400.pt` of VideoGPT and Seer: Kinetics-400 I3D, 400 logits, short side 224, centre crop.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from fca.artifacts.atomic import sha256_file
from fca.artifacts.finite import finite
from fca.config.shipped import located
from fca.errors import FcaError
from fca.pretrained.files import read_tensors
from fca.score.frechet import Features
from fca.score.i3d import InceptionI3d, stage_means

REMEDY = (
    "set features.network (or --features) to the folder config/pocket-base/features, or to the file "
    "i3d_pretrained_400.pt that load_i3d_pretrained in VideoGPT's videogpt/download.py fetches"
)


class NetworkConfig(BaseModel):
    """`config.json` of a feature network: its architecture and its expected input."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    """Part of the name of every score that is measured with it."""
    width: Annotated[float, Field(gt=0, le=1)]
    """Fraction of I3D's channels."""
    classes: list[str] | Annotated[int, Field(gt=0)]
    """Names of the classes, or their number if the names aren't needed."""
    short_side: Annotated[int, Field(ge=16)]
    """Pixels that the shorter side of a frame is resized to."""
    crop: Literal["center"] | None
    """center: only the middle short_side x short_side pixels are used."""
    frames: int | None
    """Number of frames that it was trained on; null: any."""
    features: Literal["logits", "pooled", "stages"]
    """What is compared between clips: the logits; their input; or the mean of every channel of four stages from the
    first edges to the last layer, each divided by its standard deviation over real clips."""

    @property
    def class_count(self) -> int:
        return len(self.classes) if isinstance(self.classes, list) else self.classes


KINETICS = NetworkConfig(
    name="i3d", width=1.0, classes=400, short_side=224, crop="center", frames=None, features="logits"
)
"""How VideoGPT and Seer use `i3d_pretrained_400.pt`; the names of its 400 classes aren't needed."""
CUDNN: dict[str, Any] = {
    "enabled": True,
    "benchmark": False,
    "benchmark_limit": 10,
    "deterministic": True,
    "allow_tf32": False,
    "fp32_precision": "ieee",
    "depthwise_kernel": "auto",
}
"""Every field of `cudnn.flags`, since one left out isn't kept but set to a default: `enabled` to False."""


@dataclass(frozen=True)
class ClipFeatures:
    """The network's output for n clips: `features` (n, d) and `logits` (n, classes), both float64."""

    features: Features
    logits: Features


class FeatureNetwork:
    """A loaded network with frozen weights, on a GPU if there is one, always in float32.

    `standard` is the mean and the standard deviation (d,) of the stages' channels over real clips.
    """

    def __init__(
        self, config: NetworkConfig, module: InceptionI3d, sha256: str, standard: Sequence[Features] = ()
    ) -> None:
        self.config, self.sha256, self.standard = config, sha256, standard
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        module = module.eval().requires_grad_(False)
        self.module = module.to(self.device, memory_format=torch.channels_last_3d)

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def classes(self) -> tuple[str, ...] | None:
        return tuple(self.config.classes) if isinstance(self.config.classes, list) else None

    @property
    def feature_width(self) -> int:
        if self.standard:
            return len(self.standard[0])
        return self.config.class_count if self.config.features == "logits" else self.module.feature_width

    @torch.inference_mode()
    def extract(self, frames: NDArray[np.uint8], batch_size: int = 16, clips: Sequence[str] = ()) -> ClipFeatures:
        """The features of clips (n, F, H, W, 3) uint8, `batch_size` at a time; `clips` are their names.

        A network that was trained on clips of 16 frames sees the last 16 of 17: the first is an initial frame.

        Raises:
            FcaError: a feature isn't finite.
        """
        features, logits = [], []
        with torch.backends.cudnn.flags(**CUDNN):
            for start in range(0, len(frames), batch_size):
                batch = frames[start : start + batch_size, -(self.config.frames or 0) :]
                video = preprocess(batch, self.config.short_side, self.config.crop == "center")
                video = video.to(self.device).contiguous(memory_format=torch.channels_last_3d)
                stages = self.module.stages(video)
                pooled = self.module.pool(stages[-1])
                logits.append(self.module.classify(pooled).double().cpu().numpy())
                seen = (stage_means(stages) if self.standard else pooled).double().cpu().numpy()
                if self.standard:
                    mean, spread = self.standard
                    seen = (seen - mean) / spread
                features.append(seen)
        all_logits = finite(np.concatenate(logits), f"logits of {self.name}", clips)
        if self.config.features == "logits":
            return ClipFeatures(all_logits, all_logits)
        return ClipFeatures(finite(np.concatenate(features), f"features of {self.name}", clips), all_logits)

    def features(
        self, frames: NDArray[np.uint8], batch_size: int = 16, clips: Sequence[str] = ()
    ) -> NDArray[np.float64]:
        """Clips (n, F, H, W, 3) uint8 -> (n, d) float64, see `extract`."""
        return self.extract(frames, batch_size, clips).features


def preprocess(frames: NDArray[np.uint8], short_side: int, crop: bool) -> Tensor:
    """Clips (n, F, H, W, 3) uint8 -> (n, 3, F, h, w) float32 in [-1, 1], as VideoGPT's `preprocess` does.

    The short side is resized to `short_side`, bilinear without antialiasing; the long side is rounded up.
    With `crop` only the middle square is kept, which removes a third of the width of 720x480.
    """
    if frames.dtype != np.uint8 or frames.ndim != 5 or frames.shape[4] != 3:
        raise ValueError(f"clips must be uint8 (n, F, H, W, 3), not {frames.dtype} {frames.shape}")
    return torch.stack([prepared(torch.tensor(clip), short_side, crop) for clip in frames])


def prepared(clip: Tensor, short_side: int, crop: bool) -> Tensor:
    """One clip (F, H, W, 3) uint8 -> (3, F, h, w), see `preprocess`: a batch of 720x480 would take gigabytes."""
    height, width = clip.shape[1:3]
    scale = short_side / min(height, width)
    # VideoGPT's own float arithmetic: rounding may make the long side one more than the exact product
    size = (short_side, math.ceil(width * scale))
    if height >= width:
        size = (math.ceil(height * scale), short_side)
    planes = clip.permute(0, 3, 1, 2).float() / 255
    if size != (height, width):
        planes = F.interpolate(planes, size=size, mode="bilinear", align_corners=False)
    if crop:
        top, left = (size[0] - short_side) // 2, (size[1] - short_side) // 2
        planes = planes[:, :, top : top + short_side, left : left + short_side]
    return ((planes - 0.5) * 2).transpose(0, 1)


def load_network(path: Path | str, sha256: str | None = None) -> FeatureNetwork:
    """A feature network from a folder or from `i3d_pretrained_400.pt`.

    If `sha256` is given, the file of the weights is checked against it before it is read. Pickles are read with
    `weights_only=True`, so they can't run code.

    Raises:
        FcaError: the network is missing, unreadable, or not the expected one.
    """
    path = located(path)
    if path.is_dir():
        weights, config = path / "model.safetensors", _read_config(path / "config.json")
    else:
        weights, config = path, KINETICS
    if not weights.is_file():
        raise FcaError(f"there is no feature network {weights}", "a file with the weights", REMEDY)

    # Verify the file before reading it.
    found = sha256_file(weights)
    if sha256 is not None and found != sha256:
        raise FcaError(f"{weights} has sha256 {found}", f"{sha256} (features.sha256)", REMEDY)

    try:
        state = read_tensors([weights], lambda name: True)
    except FcaError as error:
        raise FcaError(error.problem, "a safetensors file or a pickled state dict of I3D", REMEDY) from error
    mean, spread = state.pop("standard.mean", None), state.pop("standard.spread", None)
    standard: Sequence[Features] = ()
    if config.features == "stages":
        if mean is None or spread is None:
            raise FcaError(f"{weights} lacks standard.mean or standard.spread", "both, for features: stages", REMEDY)
        standard = mean.double().numpy(), spread.double().numpy()

    module = InceptionI3d(config.class_count, config.width)
    try:
        module.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except RuntimeError as error:
        problem = " ".join(str(error).split())[:400]
        raise FcaError(
            f"{weights} does not hold the weights of {config.name}: {problem}",
            f"the state dict of I3D at width {config.width} with {config.class_count} classes",
            REMEDY,
        ) from error
    return FeatureNetwork(config, module, found, standard)


def _read_config(path: Path) -> NetworkConfig:
    try:
        return NetworkConfig.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FcaError(f"there is no {path}", "the description of the feature network", REMEDY) from None
    except (ValidationError, ValueError) as error:
        raise FcaError(f"{path} does not describe a feature network: {error}", remedy=REMEDY) from error
