"""Low-rank adaptation, the fine-tuning that the paper compares FCA with (Table 3, row 1; Table 2, row 2)."""

import json
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from diffusers import CogVideoXPipeline, CogVideoXTransformer3DModel
from peft import LoraConfig, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open

from fca.errors import FcaError, first_line
from fca.model.denoiser import Denoiser, Velocity, predict_velocity
from fca.model.inputs import InitialFrames, Prompt

WEIGHTS = "pytorch_lora_weights.safetensors"  # diffusers' own name and format
CONFIG = "config.json"
Append = Literal["front", "back"]
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]  # of CogVideoX's fine-tuning script


def add_lora(transformer: CogVideoXTransformer3DModel, rank: int, alpha: int) -> None:
    """Freeze the transformer and add low-rank weights, in float32, to every attention projection (peft)."""
    transformer.requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights=True, target_modules=TARGETS))
    for parameter in transformer.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def load_lora(transformer: CogVideoXTransformer3DModel, folder: Path) -> None:
    """Put the low-rank weights of a folder written by `save_lora` into the transformer, in its precision.

    Raises:
        FcaError: the file is damaged or belongs to another transformer.
    """
    dtype = transformer.dtype
    try:
        transformer.load_lora_adapter(folder, weight_name=WEIGHTS, use_safetensors=True)
        wanted = get_peft_model_state_dict(transformer, adapter_name=transformer.active_adapters()[0])
        with safe_open(folder / WEIGHTS, framework="pt") as file:  # diffusers lets weights be absent
            if absent := sorted({f"transformer.{name}" for name in wanted} - set(file.keys())):
                raise KeyError(f"{absent[0]} is missing")
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise FcaError(
            f"{folder / WEIGHTS} doesn't fit the transformer: {first_line(error)}",
            "low-rank weights trained on this base",
            "use the base that they were trained on, or train again",
        ) from error
    for parameter in transformer.parameters():
        parameter.data = parameter.data.to(dtype)


def save_lora(transformer: CogVideoXTransformer3DModel, folder: Path) -> None:
    """Write the low-rank weights as diffusers does: its `CogVideoXPipeline.load_lora_weights` reads them, too.

    The same weights make the same bytes: diffusers alone writes the names of adapted layers, a set, and the file's
    metadata in an order that changes from time to time.
    """
    settings = transformer.peft_config["default"].to_dict()
    CogVideoXPipeline.save_lora_weights(
        folder,
        transformer_lora_layers=get_peft_model_state_dict(transformer, adapter_name="default"),
        transformer_lora_adapter_metadata={
            name: sorted(value) if isinstance(value, set) else value for name, value in settings.items()
        },
    )
    _sort_metadata(folder / "pytorch_lora_weights.safetensors")


def _sort_metadata(path: Path) -> None:
    """Put the metadata in a safetensors file's header (a length in 8 bytes, JSON, padding) in order."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        file.seek(8)
        file.write(text.ljust(size))


class AppendedLatent(Denoiser):
    """LoRA on a text-to-video base that reads the initial frames as an additional latent frame before or after x_t.

    "We append the latent of the initial frames to the token sequence" (section 4.3): the clean latent is one more
    latent frame, and the prediction for it is discarded. At the front it shifts the positions in time of x_t by one; at
    the back it doesn't. The transformer already has low-rank weights.
    """

    def __init__(self, transformer: CogVideoXTransformer3DModel, append: Append = "front"):
        super().__init__(transformer)
        self.append = append

    def prepare(self, initial_frames: InitialFrames, prompt: Prompt) -> Velocity:
        embeds = prompt.prompt_embeds
        initial = initial_frames.latent.to(embeds.dtype)  # (B, 1, C, h, w)

        def velocity(noisy: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            front = self.append == "front"
            together = torch.cat([initial, noisy] if front else [noisy, initial], dim=1)
            predicted = predict_velocity(self.transformer, together, embeds, timestep)
            return predicted[:, 1:] if front else predicted[:, :-1]

        return velocity

    def save(self, folder: Path) -> None:
        save_lora(self.transformer, folder)
        (folder / CONFIG).write_text(json.dumps({"_class_name": "AppendedLatent", "append": self.append}) + "\n")


def read_append(folder: Path) -> Append:
    """Where the model that `AppendedLatent.save` wrote appends the latent.

    Raises:
        FcaError: its configuration is damaged.
    """
    path = folder / CONFIG
    try:
        append: Any = json.loads(path.read_text())["append"] if path.exists() else "front"  # of old exports
        if append not in get_args(Append):
            raise ValueError(f"append is {append!r}")
        return append
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{path} can't be read ({type(error).__name__}: {first_line(error)})"
        raise FcaError(problem, "append: front or back", "train again") from error
