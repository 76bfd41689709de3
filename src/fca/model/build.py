"""A variant's model: new for training, or loaded for prediction."""

import json
from pathlib import Path
from typing import TypeAlias

import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler, CogVideoXTransformer3DModel

from fca.config import Base, Config
from fca.config.settings import SchedulerName
from fca.config.shipped import located
from fca.errors import FcaError
from fca.model.adapter import FCA, FCAAdapter
from fca.model.controlnet import CogVideoXControlNet, ControlNet
from fca.model.denoiser import Denoiser, TextToVideo
from fca.model.image_to_video import ImageToVideo, is_image_to_video
from fca.model.lora import WEIGHTS, Append, AppendedLatent, add_lora, load_lora, read_append
from fca.pretrained.load import DTYPES, base_folder, device, load_pretrained
from fca.seeds import seed_of

Adapter = FCAAdapter | CogVideoXControlNet
Scheduler: TypeAlias = CogVideoXDDIMScheduler | CogVideoXDPMScheduler
SCHEDULERS: dict[SchedulerName, type[Scheduler]] = {"ddim": CogVideoXDDIMScheduler, "dpm": CogVideoXDPMScheduler}
"""What `sample.scheduler` names."""


def load_transformer(base: Base, dtype: torch.dtype) -> CogVideoXTransformer3DModel:
    """The frozen transformer, on the CPU."""
    folder = base_folder(base, "transformer")
    return load_pretrained(CogVideoXTransformer3DModel, folder / "transformer", dtype).requires_grad_(False).eval()


def load_scheduler(base: Base, name: SchedulerName = "ddim") -> Scheduler:
    """A scheduler with the settings of the checkpoint's own, of whichever class that is."""
    return SCHEDULERS[name].from_pretrained(base_folder(base, "scheduler") / "scheduler")


def load_base(
    base: Base, dtype: torch.dtype, scheduler: SchedulerName = "ddim"
) -> tuple[CogVideoXTransformer3DModel, Scheduler]:
    """Both of them, all files checked before one is loaded."""
    base_folder(base, "transformer", "scheduler")
    return load_transformer(base, dtype), load_scheduler(base, scheduler)


def train_seed(config: Config, variant: str) -> int:
    """The seed of a training's new weights, order of clips, noise and timesteps.

    It is `config.seed`, and another one for each replicate (`fca@2`, ...); that of prediction is always `config.seed`.
    """
    number = config.replicate(variant)
    return config.seed if number == 1 else seed_of(config.seed, "replicate", number)


def new_denoiser(
    config: Config, variant: str, transformer: CogVideoXTransformer3DModel, scheduler: Scheduler, vision_width: int
) -> Denoiser:
    """The model of a variant, freshly initialised from its `train_seed` or continued from `train.init_from`.

    Raises:
        FcaError: the base is of the wrong kind, or the adapter to continue has other settings than the configuration.
    """
    settings, sizes = config.variant(variant), config.of(variant).adapter
    if is_image_to_video(transformer) != (settings.base == "image"):
        raise FcaError(
            f"{config.base_of(variant).model} is {'' if is_image_to_video(transformer) else 'not '}image-to-video",
            f"a transformer for the variant {variant}, which has base: {settings.base}",
            "fix base.model or image_base.model",
        )

    torch.manual_seed(train_seed(config, variant))
    match settings.adapter:
        case "fca":
            adapter = FCAAdapter.for_transformer(
                transformer,
                latent_frames=config.clip.latent_frames // (transformer.config.patch_size_t or 1),
                queries_per_frame=sizes.queries_per_frame,
                text_width=sizes.ftc_width,
                vision_width=vision_width,
                conditioning_heads=sizes.ftc_heads,
                attention_heads=sizes.attention_heads,
                initial_scale=settings.init_scale,
                **settings.model_dump(include={"frame_wise_text", "frame_mask", "pre_norm", "gate"}),
            )
            if (start := config.init_from(variant)) is not None:
                adapter = continued(adapter, located(start))
            return FCA(transformer, adapter, scheduler.alphas_cumprod.float(), config.base_of(variant).t_ref)
        case "lora":
            add_lora(transformer, sizes.lora_rank, sizes.lora_alpha)
            image = settings.base == "image"
            return ImageToVideo(transformer) if image else AppendedLatent(transformer, settings.append)
        case "controlnet":
            controlnet = CogVideoXControlNet.for_transformer(transformer, sizes.control_layers, settings.control)
            return ControlNet(transformer, controlnet)
    raise FcaError(f"the variant {variant} has nothing to train")


def bare_denoiser(transformer: CogVideoXTransformer3DModel) -> Denoiser:
    """The base as it is, for variants with adapter: none."""
    return ImageToVideo(transformer) if is_image_to_video(transformer) else TextToVideo(transformer)


def continued(wanted: FCAAdapter, folder: Path) -> FCAAdapter:
    """The adapter in `folder`, which must have the settings of `wanted`."""
    adapter = load_pretrained(FCAAdapter, folder, torch.float32)
    for name, value in wanted.config.items():
        if not name.startswith("_") and adapter.config[name] != value:
            raise FcaError(
                f"the adapter in {folder} has {name} {adapter.config[name]}",
                f"{name} {value}, as the configuration says",
                "set train.init_from to null to train from scratch, or to an adapter with these settings",
            )
    return adapter.train()


def load_adapter(
    transformer: CogVideoXTransformer3DModel, folder: Path, dtype: torch.dtype
) -> tuple[Adapter | None, Append | None]:
    """What `fca train` wrote to a folder: a module and, of low-rank weights on a text-to-video base, `append`.

    Low-rank weights are put into the transformer.

    Raises:
        FcaError: the folder holds no trained model, or one for another base.
    """
    if (folder / WEIGHTS).is_file():
        load_lora(transformer, folder)
        return None, None if is_image_to_video(transformer) else read_append(folder)
    match kind_of(folder):
        case "FCAAdapter":
            return load_pretrained(FCAAdapter, folder, dtype), None
        case "CogVideoXControlNet":
            return load_pretrained(CogVideoXControlNet, folder, dtype), None
        case other:
            raise FcaError(f"{folder / 'config.json'} is of a {other}", "a folder written by `fca train`")


def denoiser_of(
    transformer: CogVideoXTransformer3DModel,
    adapter: Adapter | None,
    append: Append | None,
    alphas_cumprod: torch.Tensor,
    t_ref: int,
) -> Denoiser:
    """The model made of a transformer and what `load_adapter` returns; without an adapter, the base as it is."""
    if isinstance(adapter, FCAAdapter):
        return FCA(transformer, adapter, alphas_cumprod.float(), t_ref)
    if adapter is not None:
        return ControlNet(transformer, adapter)
    return bare_denoiser(transformer) if append is None else AppendedLatent(transformer, append)


def load_denoiser(
    base: Base, folder: Path | None, precision: str, scheduler_name: SchedulerName = "ddim"
) -> tuple[Denoiser, Scheduler]:
    """The model for prediction, on the device: the bare base, or with what `fca train` wrote to `folder`.

    Raises:
        FcaError: the folder holds no trained model, or one for another base.
    """
    dtype = DTYPES[precision]
    transformer, scheduler = load_base(base, dtype, scheduler_name)
    adapter, append = (None, None) if folder is None else load_adapter(transformer, folder, dtype)
    denoiser = denoiser_of(transformer, adapter, append, scheduler.alphas_cumprod, base.t_ref)
    return denoiser.requires_grad_(False).eval().to(device()), scheduler


def kind_of(folder: Path) -> str:
    """The class that a folder with a config.json was saved from."""
    try:
        return json.loads((folder / "config.json").read_text())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FcaError(
            f"{folder} holds no adapter ({type(error).__name__}: {error})",
            "a folder written by `fca train`",
            "train first, or give another folder",
        ) from error
