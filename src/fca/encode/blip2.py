"""The frozen parts of BLIP-2 that frame-wise text conditioning starts from: ViT, tokenizer and text embeddings.

The paper takes "its ViT vision encoder, as well as the CLIP text tokenizer and projection layer from BLIP-2". The
published checkpoint holds a BERT tokenizer, BERT word and position embeddings with a layer norm, and an EVA-CLIP ViT;
those are what is read here (docs/deviations.md). Everything else in the file is left on the disk.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import AutoTokenizer, Blip2Config, Blip2VisionModel
from transformers.models.blip_2.modeling_blip_2 import Blip2TextEmbeddings

from fca.errors import FcaError

MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's, as in BLIP-2's image processor
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
PARTS = ("vision_model.", "embeddings.", "qformer.layernorm.")


def preprocess(pixels: Tensor, size: int) -> Tensor:
    """BLIP-2's image processor: Pillow's bicubic resize to size x size without crop, /255, CLIP mean and deviation.

    pixels (n, H, W, 3) uint8 -> (n, 3, size, size) float32.
    """
    resized = [
        np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))
        for picture in pixels.numpy()
    ]
    pictures = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 255
    return (pictures - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(DEVIATION).view(1, 3, 1, 1)


class FrozenBlip2(nn.Module):
    """ViT and text embeddings of a BLIP-2 checkpoint in a folder (config.json, model.safetensors, tokenizer files)."""

    def __init__(self, folder: Path):
        super().__init__()
        config = Blip2Config.from_pretrained(folder)
        self.vision_model = Blip2VisionModel(config.vision_config)
        self.embeddings = Blip2TextEmbeddings(config.qformer_config)
        self.layernorm = nn.LayerNorm(config.qformer_config.hidden_size, eps=config.qformer_config.layer_norm_eps)
        self.image_size = config.vision_config.image_size
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.load_state_dict(_read(folder / "model.safetensors", set(self.state_dict())))
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def image_features(self, pixels: Tensor) -> Tensor:
        """First frames (n, H, W, 3) uint8 -> ViT tokens (n, 1 + patches, vision width), after the last layer norm."""
        pictures = preprocess(pixels, self.image_size)
        parameter = self.vision_model.post_layernorm.weight
        pictures = pictures.to(parameter.device, parameter.dtype)
        return self.vision_model(pictures).last_hidden_state

    @torch.no_grad()
    def text_embeddings(self, captions: list[str], tokens: int) -> tuple[Tensor, Tensor]:
        """Captions -> word + position embeddings after the layer norm (n, tokens, text width), and mask (n, tokens).

        The caption is truncated to `tokens`; its mask is true on real tokens (the empty caption keeps its specials).
        """
        encoded = self.tokenizer(
            captions, padding="max_length", max_length=tokens, truncation=True, return_tensors="pt"
        )
        embedded = self.layernorm(self.embeddings(encoded.input_ids))
        return embedded, encoded.attention_mask.bool()


def _read(path: Path, wanted: set[str]) -> dict[str, Tensor]:
    """The tensors of `PARTS` from a safetensors file, under the names that FrozenBlip2 has, in float32."""
    if not path.is_file():
        raise FcaError(
            f"{path} is missing", "a BLIP-2 checkpoint in safetensors", "set base.vision_model to its folder"
        )
    try:
        with safe_open(path, framework="pt") as file:
            state = {
                name.removeprefix("qformer."): file.get_tensor(name).float()
                for name in file.keys()  # noqa: SIM118 (safe_open is no mapping)
                if name.startswith(PARTS) and not name.endswith("position_ids")
            }
    except SafetensorError as error:
        raise FcaError(f"{path} can't be read ({error})", "an undamaged safetensors file", "fetch it again") from error
    if set(state) != wanted:
        missing, extra = sorted(wanted - set(state)), sorted(set(state) - wanted)
        raise FcaError(
            f"{path} doesn't hold what its config.json says: missing {missing[:3]}, not expected {extra[:3]}",
            "the files of one BLIP-2 checkpoint",
            "fetch config.json and model.safetensors of the same revision",
        )
    return state
