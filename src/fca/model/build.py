"""A variant's model: new for training, or loaded for prediction."""

import json
from pathlib import Path

import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel

from fca.config import Base, Config
from fca.config.shipped import located
from fca.errors import FcaError
from fca.model.adapter import FCA, FCAAdapter
from fca.model.controlnet import CogVideoXControlNet, ControlNet
from fca.model.denoiser import Denoiser, TextToVideo
from fca.model.image_to_video import ImageToVideo, is_image_to_video
from fca.model.lora import WEIGHTS, AppendedLatent, add_lora, load_lora
from fca.pretrained.load import DTYPES, base_folder, device, load_pretrained


def load_base(base: Base, dtype: torch.dtype) -> tuple[CogVideoXTransformer3DModel, CogVideoXDDIMScheduler]:
    """The frozen transformer, on the CPU, and the DDIM scheduler with the checkpoint's own settings."""
    folder = base_folder(base, "transformer", "scheduler")
    transformer = load_pretrained(CogVideoXTransformer3DModel, folder / "transformer", dtype)
    scheduler = CogVideoXDDIMScheduler.from_pretrained(folder / "scheduler")
    return transformer.requires_grad_(False).eval(), scheduler


def new_denoiser(
    config: Config,
    variant: str,
    transformer: CogVideoXTransformer3DModel,
    scheduler: CogVideoXDDIMScheduler,
    vision_width: int,
) -> Denoiser:
    """The model of a variant, freshly initialised from `config.seed` or continued from `train.init_from`.

    Raises:
        FcaError: the base is of the wrong kind, or the adapter to continue has other settings than the configuration.
    """
    settings, sizes = config.variant(variant), config.adapter
    if is_image_to_video(transformer) != (settings.base == "image"):
        raise FcaError(
            f"{config.base_of(variant).model} is {'' if is_image_to_video(transformer) else 'not '}image-to-video",
            f"a transformer for the variant {variant}, which has base: {settings.base}",
            "fix base.model or image_base.model",
        )

    torch.manual_seed(config.seed)
    match settings.adapter:
        case "fca":
            adapter = FCAAdapter.for_transformer(
                transformer,
                latent_frames=config.clip.frames // 4 // (transformer.config.patch_size_t or 1),
                queries_per_frame=sizes.queries_per_frame,
                text_width=sizes.ftc_width,
                vision_width=vision_width,
                conditioning_heads=sizes.ftc_heads,
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


def load_denoiser(base: Base, folder: Path | None, precision: str) -> tuple[Denoiser, CogVideoXDDIMScheduler]:
    """The model for prediction, on the device: the bare base, or with what `fca train` wrote to `folder`.

    Raises:
        FcaError: the folder holds no trained model, or one for another base.
    """
    dtype = DTYPES[precision]
    transformer, scheduler = load_base(base, dtype)
    denoiser: Denoiser
    if folder is not None and (folder / WEIGHTS).is_file():
        load_lora(transformer, folder)
        image = is_image_to_video(transformer)
        denoiser = ImageToVideo(transformer) if image else AppendedLatent.load(transformer, folder)
    elif folder is not None:
        match kind_of(folder):
            case "FCAAdapter":
                adapter = load_pretrained(FCAAdapter, folder, dtype)
                denoiser = FCA(transformer, adapter, scheduler.alphas_cumprod.float(), base.t_ref)
            case "CogVideoXControlNet":
                denoiser = ControlNet(transformer, load_pretrained(CogVideoXControlNet, folder, dtype))
            case other:
                raise FcaError(f"{folder / 'config.json'} is of a {other}", "a folder written by `fca train`")
    else:
        denoiser = bare_denoiser(transformer)
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
