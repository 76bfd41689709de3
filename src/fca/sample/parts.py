"""The parts of a pipeline, from the folder of a trained model or from the hub."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self

import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from diffusers import AutoencoderKLCogVideoX, DiffusionPipeline
from torch import nn
from transformers import T5EncoderModel

from fca.encode.blip2 import Blip2Folder
from fca.errors import FcaError
from fca.model.build import load_adapter, load_scheduler, load_transformer
from fca.pretrained.exported import FILE, ExportedModel, Prediction
from fca.pretrained.load import (
    base_folder,
    checkpoint_folder,
    load_pretrained,
    load_tokenizer,
    read_json,
    vision_folder,
)

PIPELINE = "model_index.json"
TRAINED = ["*.json", "*.safetensors"]
FROZEN = ("transformer", "scheduler", "vae", "text_encoder", "tokenizer")
"""Parts that a `CogVideoXPipeline` has, too."""
PARTS = ["*/*.json", "*/*.safetensors", "*/*.model", "*/*.txt"]


def model_folder(name: str | Path, revision: str | None = None) -> Path:
    """The folder of a trained model or of a whole pipeline; a name on the hub is fetched, or found in its cache.

    Raises:
        FcaError: there is no such folder, or the hub doesn't give the files.
    """
    folder = checkpoint_folder(str(name), revision, [FILE, PIPELINE])
    return checkpoint_folder(str(name), revision, PARTS if (folder / PIPELINE).is_file() else TRAINED)


def frozen_parts(exported: ExportedModel, dtype: torch.dtype, given: dict[str, Any]) -> dict[str, Any]:
    """The frozen parts of `FCAPipeline` by name: those `given`, and the model's others loaded, on the CPU.

    Raises:
        FcaError: a file is missing or damaged.
    """
    base = exported.networks()
    blip2 = cache(lambda: Blip2Folder(vision_folder(base)))

    def network(kind: Any, part: str) -> Any:
        return load_pretrained(kind, base_folder(base, part) / part, dtype).requires_grad_(False).eval()

    def tokenizer() -> Any:
        folder = base_folder(base, "text_encoder", "tokenizer")
        rows = read_json(folder / "text_encoder/config.json")["vocab_size"]
        return load_tokenizer(folder / "tokenizer", rows)

    loaders: dict[str, Callable[[], Any]] = {
        "transformer": lambda: load_transformer(base, dtype),
        "scheduler": lambda: load_scheduler(base, exported.scheduler),
        "vae": lambda: network(AutoencoderKLCogVideoX, "vae"),
        "text_encoder": lambda: network(T5EncoderModel, "text_encoder"),
        "tokenizer": tokenizer,
        "image_encoder": lambda: blip2().image_encoder(dtype),
        "caption_embeddings": lambda: blip2().caption_embeddings(),
        "caption_tokenizer": lambda: blip2().tokenizer,
    }
    return {name: given[name] if name in given else load() for name, load in loaders.items()}


class PipelineOfParts(DiffusionPipeline):
    """Where `FCAPipeline` takes its parts from, on which device they are, and its progress bar."""

    _chunk: tuple[int, int] = (1, 1)
    """The chunk in progress, from 1, and how many there are."""
    _current_timestep: int | None = None

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        revision: str | None = None,
        base: str | Path | None = None,
        vision_model: str | Path | None = None,
        dtype: torch.dtype | dict[str, torch.dtype] | None = None,
        torch_dtype: torch.dtype | None = None,
        **parts: Any,
    ) -> Self:
        """Load a trained model with the frozen networks that it belongs to, or a whole pipeline.

        Args:
            model: folder or hub name of a model that `fca train` exported (with its `model.json`), or of a pipeline
                that `save_pretrained` wrote (with its `model_index.json`).
            revision: commit, tag or branch of `model` on the hub.
            base: folder or hub name of the CogVideoX checkpoint; by default the one in `model.json`, a relative folder
                from the working directory or from a folder above the model's.
            vision_model: folder or hub name of the BLIP-2 checkpoint; by default the folder `vision` of the
                argument `base`, else the one in `model.json`.
            dtype: of the networks, by default float32; of a whole pipeline, also one for each part. BLIP-2's text
                embeddings next to an exported model stay in float32. `torch_dtype` is diffusers' older name for it.
            parts: parts that are loaded already, such as a quantised `transformer`, or a `scheduler` instead of the one
                that `model.json` names; for a whole pipeline also the other arguments of
                `DiffusionPipeline.from_pretrained`.

        Raises:
            FcaError: a folder or file is missing, or doesn't fit the others.
        """
        folder, dtype = model_folder(model, revision), dtype or torch_dtype or torch.float32
        if (folder / PIPELINE).is_file():
            return super().from_pretrained(folder, dtype=dtype, **parts)
        if isinstance(dtype, dict):
            raise FcaError("dtype is a dictionary", "one dtype, or a whole pipeline")
        unknown = sorted(parts.keys() - cls._get_signature_types().keys())
        if unknown:
            raise FcaError(f"there is no argument {unknown[0]}", "the name of a part, such as transformer")

        names = [None if name is None else str(name) for name in (base, vision_model)]
        exported = ExportedModel.read(folder).located(folder, *names)
        found = frozen_parts(exported, dtype, parts)
        if "adapter" not in parts:
            parts["adapter"], parts["append"] = load_adapter(found["transformer"], folder, dtype)
        return cls(**found | parts, prediction=exported.model_dump(include=set(Prediction.model_fields)))

    @classmethod
    def from_pipe(cls, pipeline: DiffusionPipeline, adapter: str | Path | Any = None, **parts: Any) -> Self:
        """Make it of the parts of a `CogVideoXPipeline` (or another `FCAPipeline`), which both share.

        Args:
            adapter: folder or hub name of an exported model, whose BLIP-2 parts are loaded, too; or an adapter.

        Raises:
            FcaError: as `from_pretrained`.
        """
        parts.setdefault("dtype", pipeline.dtype)
        if isinstance(adapter, str | Path):
            folder = model_folder(adapter)
            exported = ExportedModel.read(folder).located(folder, None, None)
            given = {name: part for name, part in pipeline.components.items() if name in FROZEN}
            parts = frozen_parts(exported, pipeline.dtype, given | parts) | parts
            parts["adapter"], parts["append"] = load_adapter(parts["transformer"], folder, pipeline.dtype)
            parts["prediction"] = exported.model_dump(include=set(Prediction.model_fields))
        elif adapter is not None:
            parts["adapter"] = adapter
        return super().from_pipe(pipeline, **parts)

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> None:
        """As diffusers' own.

        Raises:
            FcaError: the transformer has low-rank weights, which diffusers can't store in a pipeline.
        """
        if getattr(self.transformer, "peft_config", None):
            raise FcaError(
                "a pipeline with low-rank weights can't be saved as a whole",
                "the folder that `fca train` exported: it names its base",
                "share that folder (`fca push`)",
            )
        super().save_pretrained(save_directory, *args, **kwargs)

    @property
    def current_timestep(self) -> int | None:
        """The timestep of the pass in progress, which pyramid attention broadcast asks for; None between calls."""
        return self._current_timestep

    def _told(self, transitions: Iterable[Any]) -> Iterator[Any]:
        """The transitions of `predict_latents`, with their progress."""
        try:
            for transition in self.progress_bar(transitions):
                self._current_timestep = transition[0]
                yield transition
        finally:
            self._current_timestep = None

    def progress_bar(self, iterable: Iterable[Any] | None = None, total: int | None = None) -> Any:
        """As diffusers' own. It tells the chunk if a video has several."""
        bar = super().progress_bar(iterable, total)
        number, count = self._chunk
        if count > 1:
            bar.set_description(f"{self._progress_bar_config.get('desc', 'chunk')} {number} of {count}")
        return bar

    def enable_model_cpu_offload(self, gpu_id: int | None = None, device: torch.device | str | None = None) -> None:
        """As diffusers' own. The adapter goes to the GPU and back with the transformer, whose layers call it."""
        super().enable_model_cpu_offload(gpu_id, **({} if device is None else {"device": device}))
        if self.adapter is None:
            return
        self.adapter.to("cpu")
        for hook in self._all_hooks:
            if hook.model is self.transformer:
                hook.model = Together([self.transformer, self.adapter])
        add_hook_to_module(self.transformer, Bring(self.adapter, self._offload_device), append=True)


class Together(nn.ModuleList):
    """Modules that go to a device together."""

    def to(self, *args: Any, **kwargs: Any) -> Self:
        for module in self:
            module.to(*args, **kwargs)
        return self


class Bring(ModelHook):
    """Brings another module to the device before each call of the module that has this hook."""

    def __init__(self, module: nn.Module, device: torch.device):
        self.module, self.device = module, device

    def pre_forward(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        self.module.to(self.device)
        return args, kwargs
