"""The published checkpoints as files: paths, keys, shapes and types of CogVideoX, BLIP-2 and I3D."""

from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from transformers import Blip2Config, Blip2ForImageTextRetrieval, T5Config, T5EncoderModel

from fca.pretrained import published
from fca.pretrained.published import Settings
from fca.rehearsal.files import Files, Link, as_json, pickled, weight_files
from fca.rehearsal.tensors import specs
from fca.rehearsal.tokenizers import bert_tokenizer, t5_tokenizer
from fca.score.features import KINETICS
from fca.score.i3d import InceptionI3d

SHARED = ("text_encoder", "tokenizer")
I3D_FILE = "i3d_pretrained_400.pt"


@dataclass(frozen=True)
class CogVideoX:
    """A CogVideoX checkpoint in diffusers' layout."""

    name: str
    """Of its folder"""
    pipeline: str
    """Of diffusers, in model_index.json"""
    transformer: Settings
    vae: Settings
    scheduler: Settings
    precision: torch.dtype
    """Of the files of the transformer and the text encoder"""
    vae_precision: torch.dtype
    text_encoder: Settings = field(default_factory=lambda: published.TEXT_ENCODER)

    def files(self, seed: int, shard_bytes: int, shared: "CogVideoX | None" = None) -> Files:
        """Its files below its folder.

        Args:
            seed: of the numbers.
            shard_bytes: most bytes of a weight file.
            shared: the checkpoint next to it whose text encoder and tokenizer it links to; None: it has its own.
        """
        networks = (
            ("transformer", CogVideoXTransformer3DModel, self.transformer, self.precision),
            ("vae", AutoencoderKLCogVideoX, self.vae, self.vae_precision),
        )
        found: Files = {}
        for part, kind, settings, dtype in networks:
            with init_empty_weights():
                network = kind.from_config(settings)
            found |= weight_files(specs(network, dtype), part, "diffusion_pytorch_model", seed, shard_bytes)
            found[f"{part}/config.json"] = as_json(settings)
        found["scheduler/scheduler_config.json"] = as_json(self.scheduler)

        if shared is not None:
            found |= {part: Link(f"../{shared.name}/{part}") for part in SHARED}
        else:
            with init_empty_weights():
                text = T5EncoderModel(T5Config(**self.text_encoder))
            found |= weight_files(specs(text, self.precision), "text_encoder", "model", seed, shard_bytes)
            found["text_encoder/config.json"] = as_json(self.text_encoder)
            rows, tokens = self.text_encoder["vocab_size"], self.transformer["max_text_seq_length"]
            found |= t5_tokenizer("tokenizer", rows, tokens)
        return found | {"model_index.json": as_json(self._model_index())}

    def _model_index(self) -> Settings:
        parts: Settings = {
            "scheduler": ["diffusers", self.scheduler["_class_name"]],
            "text_encoder": ["transformers", "T5EncoderModel"],
            "tokenizer": ["transformers", "T5Tokenizer"],
            "transformer": ["diffusers", self.transformer["_class_name"]],
            "vae": ["diffusers", self.vae["_class_name"]],
        }
        return {"_class_name": self.pipeline, "_diffusers_version": self.transformer["_diffusers_version"]} | parts


@dataclass(frozen=True)
class Layouts:
    """The configurations of all networks; by default the published ones."""

    base: CogVideoX = CogVideoX(
        name="CogVideoX-2b",
        pipeline="CogVideoXPipeline",
        transformer=published.TRANSFORMER_2B,
        vae=published.VAE_2B,
        scheduler=published.SCHEDULER_2B,
        precision=torch.float16,
        vae_precision=torch.float32,
    )
    image_base: CogVideoX = CogVideoX(
        name="CogVideoX1.5-5B-I2V",
        pipeline="CogVideoXImageToVideoPipeline",
        transformer=published.TRANSFORMER_5B_I2V,
        vae=published.VAE_5B_I2V,
        scheduler=published.SCHEDULER_5B_I2V,
        precision=torch.bfloat16,
        vae_precision=torch.bfloat16,
    )
    """Its text encoder and tokenizer are links to those of `base`"""
    vision: Settings = field(default_factory=lambda: published.BLIP2)
    vision_name: str = "blip2-itm-vit-g"
    features_name: str = "i3d"
    shard_bytes: int = 5_000_000_000
    """Most bytes of a weight file"""

    def files(self, seed: int, image_base: bool) -> dict[str, Files]:
        """Folder of each network -> its files; the image-to-video base only if `image_base`."""
        found = {
            self.base.name: self.base.files(seed, self.shard_bytes),
            self.vision_name: blip2_files(self.vision, seed, self.shard_bytes),
            self.features_name: i3d_files(seed),
        }
        if image_base:
            found[self.image_base.name] = self.image_base.files(seed, self.shard_bytes, shared=self.base)
        return found


def blip2_files(settings: Settings, seed: int, shard_bytes: int) -> Files:
    """The whole of blip2-itm-vit-g in float32, of which only a part is ever read, with BERT's tokenizer."""
    config: Any = Blip2Config.from_dict(settings)
    with init_empty_weights():
        network = Blip2ForImageTextRetrieval(config)
    files = weight_files(specs(network, torch.float32), ".", "model", seed, shard_bytes)
    side = config.vision_config.image_size
    files["preprocessor_config.json"] = as_json(published.IMAGE_PROCESSOR | {"size": {"height": side, "width": side}})
    files |= bert_tokenizer(".", config.qformer_config.vocab_size)
    return {path.removeprefix("./"): file for path, file in files.items()} | {"config.json": as_json(settings)}


def i3d_files(seed: int) -> Files:
    """The state dict of Kinetics' I3D; its convolutions come before ReLUs."""
    with init_empty_weights():
        network = InceptionI3d(KINETICS.class_count, KINETICS.width)
    return {I3D_FILE: pickled(specs(network, torch.float32, gain=2**0.5), "i3d", seed)}
