"""The frozen parts of BLIP-2 that feed frame-wise text conditioning: ViT, tokenizer and text embeddings.

The paper uses "its ViT vision encoder, as well as the CLIP text tokenizer and projection layer from BLIP-2". The
published checkpoint holds a BERT tokenizer, BERT word and position embeddings with a layer norm, and an EVA-CLIP ViT;
those are read here (docs/deviations.md). Nothing else in the file is loaded or built.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import init_empty_weights
from PIL import Image
from torch import Tensor, nn
from transformers import Blip2Config, Blip2VisionModel
from transformers.models.blip_2.modeling_blip_2 import Blip2TextEmbeddings

from fca.artifacts.finite import finite
from fca.errors import FcaError, first_line
from fca.pretrained.files import PICKLE, check_shapes, read_tensors, weight_files
from fca.pretrained.load import load_tokenizer, read_json

MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's, as in BLIP-2's image processor
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
BICUBIC = 3  # Pillow's number
PARTS = ("vision_model.", "embeddings.", "qformer.layernorm.")


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


class FrozenBlip2(nn.Module):
    """ViT and text embeddings of a BLIP-2 checkpoint: config.json, weights, tokenizer, preprocessor_config.json.

    Weights are `model.safetensors`, whole or sharded, or the older `pytorch_model.bin`, in float32 here.

    Raises:
        FcaError: a file is missing or damaged, or holds another network, tokenizer or image preprocessing.
    """

    def __init__(self, folder: Path):
        super().__init__()
        config = _configuration(folder)
        with init_empty_weights():
            self.vision_model = Blip2VisionModel(config.vision_config)
            self.embeddings = Blip2TextEmbeddings(config.qformer_config)
            norm = nn.LayerNorm(config.qformer_config.hidden_size, eps=config.qformer_config.layer_norm_eps)
        self.qformer = nn.ModuleDict({"layernorm": norm})  # every weight under its name in the checkpoint
        self.image_size = config.vision_config.image_size
        _check_preprocessing(folder, self.image_size)
        self.tokenizer = load_tokenizer(folder, rows=config.qformer_config.vocab_size)
        state = _read(folder)
        check_shapes(folder, _shapes(self.state_dict()), _shapes(state))
        self.load_state_dict(state, assign=True)
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def image_features(self, pixels: Tensor, clips: Sequence[str] = ()) -> Tensor:
        """First frames (n, H, W, 3) uint8 -> ViT tokens (n, 1 + patches, vision width), after the last layer norm."""
        pictures = preprocess(pixels, self.image_size)
        parameter = self.vision_model.post_layernorm.weight
        pictures = pictures.to(parameter.device, parameter.dtype)
        return finite(self.vision_model(pictures).last_hidden_state, "BLIP-2's image features", clips)

    @torch.no_grad()
    def text_embeddings(self, captions: list[str], tokens: int) -> tuple[Tensor, Tensor]:
        """Captions -> word + position embeddings after the layer norm (n, tokens, text width), and mask (n, tokens).

        Captions are truncated to `tokens`; the mask is true on real tokens (of the empty caption, on its special ones).
        """
        encoded = self.tokenizer(
            captions, padding="max_length", max_length=tokens, truncation=True, return_tensors="pt"
        )
        embedded = self.qformer["layernorm"](self.embeddings(encoded.input_ids))
        return finite(embedded, "BLIP-2's text embeddings", captions), encoded.attention_mask.bool()


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


def _read(folder: Path) -> dict[str, Tensor]:
    """The tensors of `PARTS` in float32, under the checkpoint's names."""
    files = weight_files(folder, ("model.safetensors", PICKLE))
    state = read_tensors(files, lambda name: name.startswith(PARTS) and not name.endswith("position_ids"))
    return {name: tensor.float() for name, tensor in state.items()}


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
