"""The networks of a configuration as shapes, from their own or the published configurations; no weights are read."""

from dataclasses import dataclass

from accelerate import init_empty_weights
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from torch import nn
from transformers import Blip2Config, Blip2VisionModel, T5Config, T5EncoderModel

from fca.config import Base, Config
from fca.config.shipped import located
from fca.pretrained.load import read_json
from fca.pretrained.published import BLIP2, TEXT_ENCODER, TRANSFORMER_2B, TRANSFORMER_5B_I2V, VAE_2B, VAE_5B_I2V
from fca.score.features import KINETICS, NetworkConfig
from fca.score.i3d import InceptionI3d


@dataclass(frozen=True)
class Networks:
    """The networks of one `base` or `image_base`, and the assumptions about them."""

    base: Base
    transformer: CogVideoXTransformer3DModel
    """Like the other networks on the meta device."""
    latent_channels: int
    prompt_width: int
    text_width: int
    """Width of a caption's embeddings in frame-wise text conditioning."""
    vision_tokens: int
    vision_width: int
    vae: AutoencoderKLCogVideoX
    text: T5EncoderModel
    vision: Blip2VisionModel
    assumed: list[str]


def networks(base: Base) -> Networks:
    """The networks of `base`.

    Raises:
        FcaError: a configuration in its folder is missing or not JSON.
    """
    folder, vision_folder = located(base.model), located(base.vision_model)
    assumed = []

    with init_empty_weights():
        if folder.is_dir():
            transformer = CogVideoXTransformer3DModel.from_config(read_json(folder / "transformer" / "config.json"))
            vae = AutoencoderKLCogVideoX.from_config(read_json(folder / "vae" / "config.json"))
            text = T5EncoderModel(T5Config.from_dict(read_json(folder / "text_encoder" / "config.json")))
        else:
            image = "i2v" in base.model.lower()
            transformer = CogVideoXTransformer3DModel.from_config(TRANSFORMER_5B_I2V if image else TRANSFORMER_2B)
            vae = AutoencoderKLCogVideoX.from_config(VAE_5B_I2V if image else VAE_2B)
            text = T5EncoderModel(T5Config(**TEXT_ENCODER))
            known = "CogVideoX1.5-5B-I2V" if image else "CogVideoX-2B"
            assumed.append(f"{base.model} isn't in a folder here: sizes of {known} as published")
        known_vision = vision_folder.is_dir()
        blip2 = Blip2Config.from_dict(read_json(vision_folder / "config.json") if known_vision else BLIP2)
        vision = Blip2VisionModel(blip2.vision_config)

    if not known_vision:
        assumed.append(f"{base.vision_model} isn't in a folder here: sizes of blip2-itm-vit-g as published")

    own = blip2.vision_config
    return Networks(
        base=base,
        transformer=transformer,
        latent_channels=vae.config.latent_channels,
        prompt_width=text.config.d_model,
        text_width=blip2.qformer_config.hidden_size,
        vision_tokens=(own.image_size // own.patch_size) ** 2 + 1,
        vision_width=own.hidden_size,
        vae=vae,
        text=text,
        vision=vision,
        assumed=assumed,
    )


def feature_network(config: Config) -> tuple[InceptionI3d, NetworkConfig]:
    """The network of FVD and KVD, on the meta device; a file, not a folder, is the published I3D."""
    folder = located(config.features.network)
    own = NetworkConfig.model_validate(read_json(folder / "config.json")) if folder.is_dir() else KINETICS
    with init_empty_weights():
        return InceptionI3d(own.class_count, own.width).eval(), own


def numbers(module: nn.Module) -> int:
    """The number of parameters of a network."""
    return sum(parameter.numel() for parameter in module.parameters())
