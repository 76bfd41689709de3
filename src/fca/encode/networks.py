"""Where the frozen networks come from: a folder, or a pinned revision on the hub."""

from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX
from torch import Tensor
from transformers import AutoTokenizer, T5EncoderModel

from fca.config.models import Base
from fca.data.files import sha256_file
from fca.encode.blip2 import FrozenBlip2
from fca.errors import FcaError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def checkpoint_folder(name: str, revision: str | None, patterns: list[str]) -> Path:
    """The local folder of a checkpoint: `name` itself, or its files matching `patterns` from the hub's cache."""
    if Path(name).is_dir():
        return Path(name)
    if name.startswith((".", "/")) or name.count("/") != 1:
        raise FcaError(
            f"the checkpoint folder {name} does not exist",
            "a folder in diffusers' layout, or a hub name such as THUDM/CogVideoX-2b",
            "mend base.model or base.vision_model in the configuration (the pocket base: `snakemake pocket_base`)",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise FcaError(
            f"{name} at revision {revision} could not be fetched ({type(error).__name__}: {error})",
            "the checkpoint in the hub's cache, or a network that reaches the hub",
            "download it where there is a network and give its folder in the configuration",
        ) from error


def base_folder(base: Base, *parts: str) -> Path:
    """The folder of the CogVideoX checkpoint with the given parts in it (`vae`, `transformer`, ...), hashes checked."""
    folder = checkpoint_folder(base.model, base.revision, [f"{part}/*" for part in parts])
    for part in parts:
        if not (folder / part).is_dir():
            raise FcaError(
                f"{folder} has no folder {part}", "a CogVideoX checkpoint in diffusers' layout", "mend base.model"
            )
    for name, expected in base.sha256.items():
        if name.split("/")[0] in parts and sha256_file(folder / name) != expected:
            raise FcaError(f"{folder / name} has another sha256", expected, "fetch the file again, at base.revision")
    return folder


def load_vae(base: Base, precision: str) -> AutoencoderKLCogVideoX:
    """The frozen VAE on the device, in the given precision."""
    folder = base_folder(base, "vae")
    vae = AutoencoderKLCogVideoX.from_pretrained(folder / "vae", torch_dtype=DTYPES[precision])
    return vae.requires_grad_(False).eval().to(device())


class Encoders:
    """VAE, T5 and BLIP-2 in their own precision, each frozen; loaded once for a shard."""

    def __init__(self, base: Base, precision: str):
        folder = base_folder(base, "text_encoder", "tokenizer")
        dtype = DTYPES[precision]
        self.device = device()
        self.text_tokens, self.caption_tokens = base.text_tokens, base.caption_tokens
        self.vae = load_vae(base, precision)
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
        self.text_encoder = T5EncoderModel.from_pretrained(folder / "text_encoder", dtype=dtype)
        self.text_encoder.requires_grad_(False).eval().to(self.device)
        vision = checkpoint_folder(base.vision_model, base.vision_revision, ["*.json", "*.txt", "model*.safetensors"])
        self.blip2 = FrozenBlip2(vision)
        self.blip2.vision_model.to(self.device, dtype)

    @torch.no_grad()
    def posterior(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Clips (n, F, H, W, 3) uint8 -> mean and log variance of the VAE posterior, (n, C, F', H / 8, W / 8) float32.

        One or two frames give one latent frame, 16 give four. Unscaled: `vae.config.scaling_factor` is applied by
        who samples.
        """
        video = pixels.permute(0, 4, 1, 2, 3).to(self.device, torch.float32) / 127.5 - 1
        posterior = self.vae.encode(video.to(self.vae.dtype)).latent_dist
        return posterior.mean.float().cpu(), posterior.logvar.float().cpu()

    @torch.no_grad()
    def prompt(self, captions: list[str]) -> Tensor:
        """Captions -> T5 embeddings (n, text_tokens, width) float32; padded, and no mask is used, as CogVideoX does."""
        tokens = self.tokenizer(
            captions, padding="max_length", max_length=self.text_tokens, truncation=True, return_tensors="pt"
        )
        return self.text_encoder(tokens.input_ids.to(self.device))[0].float().cpu()
