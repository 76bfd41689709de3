"""The frozen parts of BLIP-2 that feed frame-wise text conditioning: ViT, tokenizer and text embeddings.

The paper uses "its ViT vision encoder, as well as the CLIP text tokenizer and projection layer from BLIP-2". The
published checkpoint holds a BERT tokenizer, BERT word and position embeddings with a layer norm, and an EVA-CLIP ViT;
those are read here (docs/deviations.md). Nothing else in the file is loaded or built.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from accelerate import init_empty_weights
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from PIL import Image
from torch import Tensor, nn
from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionModel
from transformers.models.blip_2.modeling_blip_2 import Blip2TextEmbeddings

from fca.artifacts.finite import finite
from fca.errors import FcaError, first_line
from fca.pretrained.files import PICKLE, Shapes, check_shapes, read_tensors, shapes, weight_files
from fca.pretrained.load import load_tokenizer, read_json

MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's, as in BLIP-2's image processor
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
BICUBIC = 3  # Pillow's number

IMAGE_NAMES = {"vision_model.": ""}
CAPTION_NAMES = {"embeddings.": "embeddings.", "qformer.layernorm.": "norm."}
"""Beginnings of names in the checkpoint -> in the network."""

M = TypeVar("M", bound=nn.Module)


def preprocess(pixels: Tensor, size: int) -> Tensor:
    """BLIP-2's image processor: Pillow's bicubic resize to size x size without crop, /255, CLIP's mean and deviation.

    pixels (n, H, W, 3) uint8 -> (n, 3, size, size) float32.
    """
    resized = [
        np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))
        for picture in pixels.numpy()
    ]
    pictures = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 255
    return (pictures - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(DEVIATION).view(1, 3, 1, 1)


class CaptionEmbeddings(ModelMixin, ConfigMixin):
    """BLIP-2's word and position embeddings of a caption, with their layer norm.

    Args: as in BLIP-2's `qformer_config`.
    """

    @register_to_config
    def __init__(self, vocab_size: int, hidden_size: int, max_position_embeddings: int, layer_norm_eps: float):
        super().__init__()
        sizes = {"vocab_size": vocab_size, "hidden_size": hidden_size, "pad_token_id": 0}
        self.embeddings = Blip2TextEmbeddings(
            Blip2QFormerConfig(max_position_embeddings=max_position_embeddings, **sizes)
        )
        self.norm = nn.LayerNorm(hidden_size, eps=layer_norm_eps)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Tokens (n, m) int64 -> (n, m, hidden_size) float32."""
        return self.norm(self.embeddings(input_ids))


class Blip2Folder:
    """The folder of a BLIP-2 checkpoint: config.json, weights, tokenizer, preprocessor_config.json.

    Weights are `model.safetensors`, whole or sharded, or the older `pytorch_model.bin`. What needs no weights is
    checked at once.

    Raises:
        FcaError: a file is missing or damaged, or holds another network, tokenizer or image preprocessing; also by the
            methods.
    """

    def __init__(self, folder: Path):
        self.folder, self.config = folder, _configuration(folder)
        _check_preprocessing(folder, self.config.vision_config.image_size)
        self.tokenizer = load_tokenizer(folder, rows=self.config.qformer_config.vocab_size)
        self.weights = weight_files(folder, ("model.safetensors", PICKLE))

    def image_encoder(self, dtype: torch.dtype) -> Blip2VisionModel:
        """The ViT, on the CPU."""
        return self._filled(self._empty_image_encoder(), IMAGE_NAMES).to(dtype)

    def caption_embeddings(self) -> CaptionEmbeddings:
        """The embeddings of captions, on the CPU."""
        return self._filled(self._empty_caption_embeddings(), CAPTION_NAMES)

    def check(self) -> None:
        """Compare names and shapes of safetensors with what config.json asks for; a pickle would have to be read."""
        if self.weights[0].suffix == ".safetensors":
            found = shapes(self.weights)
            for network, names in (
                (self._empty_image_encoder(), IMAGE_NAMES),
                (self._empty_caption_embeddings(), CAPTION_NAMES),
            ):
                self._check(network, names, {name: shape for name, shape in found.items() if _wanted(name, names)})

    def _empty_image_encoder(self) -> Blip2VisionModel:
        with init_empty_weights():
            return Blip2VisionModel(self.config.vision_config)

    def _empty_caption_embeddings(self) -> CaptionEmbeddings:
        own = self.config.qformer_config
        with init_empty_weights():
            return CaptionEmbeddings(own.vocab_size, own.hidden_size, own.max_position_embeddings, own.layer_norm_eps)

    def _filled(self, network: M, names: Mapping[str, str]) -> M:
        """`network` with the checkpoint's tensors, in float32."""
        state = read_tensors(self.weights, lambda name: _wanted(name, names))
        ours = self._check(network, names, {name: tuple(tensor.shape) for name, tensor in state.items()})
        network.load_state_dict({ours[name]: tensor.float() for name, tensor in state.items()}, assign=True)
        return network.requires_grad_(False).eval()

    def _check(self, network: nn.Module, names: Mapping[str, str], found: Shapes) -> dict[str, str]:
        """Name in the checkpoint -> name in `network`, all of which were found in the right shape."""
        state = network.state_dict()
        ours = {
            theirs + name.removeprefix(own): name
            for theirs, own in names.items()
            for name in state
            if name.startswith(own)
        }
        check_shapes(self.folder, {name: tuple(state[own].shape) for name, own in ours.items()}, found)
        return ours


def _wanted(name: str, prefixes: Mapping[str, str]) -> bool:
    return name.startswith(tuple(prefixes)) and not name.endswith("position_ids")


@torch.no_grad()
def image_features(image_encoder: Blip2VisionModel, pixels: Tensor, clips: Sequence[str] = ()) -> Tensor:
    """First frames (n, H, W, 3) uint8 -> ViT tokens (n, 1 + patches, vision width), after the last layer norm.

    Raises:
        FcaError: a value isn't finite; it names the row as `clips` does.
    """
    pictures = preprocess(pixels, image_encoder.config.image_size)
    pictures = pictures.to(image_encoder.device, image_encoder.dtype)
    return finite(image_encoder(pictures).last_hidden_state, "BLIP-2's image features", clips)


def _configuration(folder: Path) -> Blip2Config:
    content = read_json(folder / "config.json")
    try:
        return Blip2Config.from_dict(content)
    except (TypeError, ValueError, AttributeError) as error:
        problem = f"{folder / 'config.json'} describes no BLIP-2 ({first_line(error)})"
        raise FcaError(problem, "config.json of a BLIP-2 checkpoint", "download it again") from error


def _check_preprocessing(folder: Path, size: int) -> None:
    """Refuse a checkpoint whose preprocessor_config.json, if there is one, describes another preprocessing."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return
    ours = {
        "size": {"height": size, "width": size},
        "resample": BICUBIC,
        "image_mean": list(MEAN),
        "image_std": list(DEVIATION),
        "do_center_crop": False,
    }
    theirs = ours | {key: value for key, value in read_json(path).items() if key in ours and value is not None}
    for key, value in ours.items():
        if theirs[key] != value:
            raise FcaError(
                f"{path}: {key} is {theirs[key]}",
                f"{value}, as images are preprocessed here",
                "use a BLIP-2 checkpoint with a ViT-g, such as Salesforce/blip2-itm-vit-g",
            )
