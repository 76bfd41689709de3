"""What the frozen networks make of one clip or caption, by their own classes and without this project's code."""

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoTokenizer, Blip2Config, Blip2VisionModel, T5EncoderModel

MEAN = np.array([0.48145466, 0.4578275, 0.40821073])  # CLIP's
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711])


def vae_posterior(vae: AutoencoderKLCogVideoX, pixels: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and log variance (C, f, h, w) of frames (F, H, W, 3)."""
    video = torch.from_numpy(np.moveaxis(pixels, 3, 0) / 255 * 2 - 1).float()[None]
    with torch.no_grad():
        mean, logvar = vae.encode(video).latent_dist.parameters[0].chunk(2)
    return mean, logvar.clamp(-30, 20)


def vision_tokens(folder, picture: np.ndarray) -> Tensor:
    """ViT tokens (v, w) of a picture (H, W, 3), prepared as BLIP-2's image processor does."""
    config = Blip2Config.from_pretrained(folder).vision_config
    network = Blip2VisionModel(config).eval()
    weights = load_file(folder / "model.safetensors")
    prefix = "vision_model."
    network.load_state_dict({key.removeprefix(prefix): weights[key].float() for key in weights if prefix in key})
    size = (config.image_size, config.image_size)
    resized = np.asarray(Image.fromarray(picture).resize(size, Image.BICUBIC)) / 255
    prepared = torch.from_numpy(np.moveaxis((resized - MEAN) / DEVIATION, 2, 0)).float()[None]
    with torch.no_grad():
        return network(prepared).last_hidden_state[0]


def text_tokens(folder, caption: str) -> tuple[Tensor, Tensor]:
    """BERT's word and position embeddings after their layer norm (32, w), and which of them are tokens."""
    weights = {name: value.double() for name, value in load_file(folder / "model.safetensors").items()}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(caption).input_ids
    padded = torch.tensor(tokens + [tokenizer.pad_token_id] * (32 - len(tokens)))
    words, positions = (weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position"))
    states = words[padded] + positions[:32]
    states = states - states.mean(1, keepdim=True)
    states = states / (states.square().mean(1, keepdim=True) + 1e-12).sqrt()
    normed = states * weights["qformer.layernorm.weight"] + weights["qformer.layernorm.bias"]
    return normed, torch.arange(32) < len(tokens)


def prompt_tokens(folder, caption: str) -> Tensor:
    """T5's embeddings (16, w), with the padding and without a mask, as in CogVideoX."""
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    network = T5EncoderModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).eval()
    tokens = tokenizer(caption).input_ids
    padded = torch.tensor([tokens + [tokenizer.pad_token_id] * (16 - len(tokens))])
    with torch.no_grad():
        return network(padded).last_hidden_state[0]


def vae_pixels(vae: AutoencoderKLCogVideoX, latents: Tensor) -> np.ndarray:
    """Levels 0 to 255 (F, H, W, 3) float64 of scaled latents (f, C, h, w)."""
    with torch.no_grad():
        video = vae.decode((latents / vae.config.scaling_factor).float().transpose(0, 1)[None]).sample[0]
    return np.rint((np.moveaxis(video.double().numpy(), 0, 3) + 1).clip(0, 2) * 127.5)
