"""Settings of a variant: what is trained, on which base, and how it differs from the others."""

from typing import Literal

from pydantic import Field, model_validator

from fca.config.settings import BaseKind, Name, Settings
from fca.config.train import Optimizer


class Variant(Settings):
    """A method to train and compare: one row of the results."""

    name: Name
    """Name of the file without .yaml; part of every path"""
    title: str = Field(min_length=1)
    """Name in tables and figures"""
    prediction: Literal["model", "repeat"] = "model"
    """model: sample the diffusion model; repeat: the copy-last-frame baseline"""
    base: BaseKind = "text"
    """text: the text-to-video model of `base`; image: the image-to-video model of `image_base` (Table 2)"""
    adapter: Literal["fca", "lora", "controlnet", "none"]
    """What is trained. fca: the paper's adapter; lora: low-rank weights; controlnet: a ControlNet; none: nothing"""
    steps: Literal["full", "ablation"] = "full"
    """full: a dataset's train_steps, after train.init_from; ablation: its ablation_steps, from scratch"""
    init_scale: float = Field(default=0.1, ge=0)
    """fca: initial value of each layer's learned output scale"""
    frame_wise_text: Literal["layer_wise", "uniform", "uniform_refined", "none"] = "layer_wise"
    """fca: a conditioning module in each layer; one for all; one, refined by each layer; none (Table 3)"""
    frame_mask: bool = True
    """fca: each frame attends only to its own block of the frame-wise text (Table 3, row 6)"""
    pre_norm: bool = True
    """fca: a learned norm before the attention to the frame-wise text (Table 4)"""
    gate: Literal["before", "after"] = "before"
    """fca: add the output before or after the block's own gate; the paper doesn't say which"""
    control: Literal["repeated", "zeros"] = "repeated"
    """controlnet: the latent of the initial frames in every latent frame, or in the first and then zeros"""
    append: Literal["front", "back"] = "front"
    """lora on a text base: the initial latent before x_t, which shifts its positions in time by one, or after it"""
    optimizer: Optimizer = Optimizer()
    """Its own optimizer settings, over those of `train`"""
    opposite: bool = False
    """Also predict from opposite captions, to see whether the model follows the text (source: library)"""

    @property
    def trained(self) -> bool:
        return self.adapter != "none"

    @model_validator(mode="after")
    def check(self) -> "Variant":
        if self.prediction == "repeat" and (self.trained or self.opposite):
            raise ValueError("prediction is repeat: adapter must be none and opposite must be false")
        for kind, names in ADAPTER_SETTINGS.items():
            changed = [name for name in names if getattr(self, name) != type(self).model_fields[name].default]
            if self.adapter != kind and changed:
                raise ValueError(f"adapter is {self.adapter}: {', '.join(changed)} would have no effect; leave it out")
        if not self.trained and self.optimizer != Optimizer():
            raise ValueError("adapter is none: optimizer would have no effect; leave it out")
        if self.base == "image" and self.append != "front":
            raise ValueError("base is image: append would have no effect; leave it out")
        if self.base == "image" and self.adapter in ("fca", "controlnet"):
            raise ValueError(f"base is image: adapter must be lora or none, not {self.adapter}")
        if self.frame_wise_text == "uniform_refined" and self.frame_mask:
            raise ValueError("frame_wise_text is uniform_refined: frame_mask must be false")
        return self


ADAPTER_SETTINGS = {
    "fca": ("init_scale", "frame_wise_text", "frame_mask", "pre_norm", "gate"),
    "controlnet": ("control",),
    "lora": ("append",),
}
"""Settings of a variant that one kind of adapter has."""
ADAPTER_SIZES = {
    "fca": ("queries_per_frame", "ftc_width", "ftc_heads"),
    "lora": ("lora_rank", "lora_alpha"),
    "controlnet": ("control_layers",),
}
"""Settings in `adapter` that one kind of adapter has."""
