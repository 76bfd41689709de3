"""Settings of a variant: what is trained, on which base, and how it differs from the others."""

from typing import Literal

from pydantic import Field, model_validator

from fca.config.networks import Sizes
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
    t_ref: int | None = Field(default=None, ge=0, lt=1000)
    """fca: its own timestep of the initial frames' pass through the frozen model; null: as its base says"""
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
    sizes: Sizes = Sizes()
    """Its own sizes, over those of `adapter`"""
    optimizer: Optimizer = Optimizer()
    """Its own optimizer settings, over those of `train`"""
    guidance_scale: float | None = Field(default=None, ge=1)
    """Its own weight of classifier-free guidance; null: as `sample` says"""
    weights_of: Name | None = None
    """Variant whose trained weights it predicts with; null: its own. For another guidance_scale without a training"""
    opposite: bool = False
    """Also predict from opposite captions, to see whether the model follows the text (source: library)"""

    @property
    def trained(self) -> bool:
        """Whether it has trained weights, its own or another variant's."""
        return self.adapter != "none"

    @property
    def trains(self) -> bool:
        """Whether it has a training of its own."""
        return self.trained and self.weights_of is None

    @model_validator(mode="after")
    def check(self) -> "Variant":
        if self.prediction == "repeat" and (self.trained or self.opposite):
            raise ValueError("prediction is repeat: adapter must be none and opposite must be false")
        for kind, names in ADAPTER_SETTINGS.items():
            changed = [name for name in names if getattr(self, name) != type(self).model_fields[name].default]
            if self.adapter != kind and changed:
                raise ValueError(f"adapter is {self.adapter}: {', '.join(changed)} would have no effect; leave it out")
        if not self.trains and self.optimizer != Optimizer():
            raise ValueError("nothing is trained: optimizer would have no effect; leave it out")
        if not self.trained and self.weights_of is not None:
            raise ValueError("adapter is none: weights_of would have no effect; leave it out")
        if self.prediction == "repeat" and self.guidance_scale is not None:
            raise ValueError("prediction is repeat: guidance_scale would have no effect; leave it out")
        others = [size for kind, names in ADAPTER_SIZES.items() if kind != self.adapter for size in names]
        if unused := sorted(set(others) & set(self.sizes.model_dump(exclude_none=True))):
            raise ValueError(f"adapter is {self.adapter}: sizes.{unused[0]} would have no effect; leave it out")
        if self.base == "image" and self.append != "front":
            raise ValueError("base is image: append would have no effect; leave it out")
        if self.base == "image" and self.adapter in ("fca", "controlnet"):
            raise ValueError(f"base is image: adapter must be lora or none, not {self.adapter}")
        if self.frame_wise_text == "uniform_refined" and self.frame_mask:
            raise ValueError("frame_wise_text is uniform_refined: frame_mask must be false")
        return self


ADAPTER_SETTINGS = {
    "fca": ("init_scale", "t_ref", "frame_wise_text", "frame_mask", "pre_norm", "gate"),
    "controlnet": ("control",),
    "lora": ("append",),
}
"""Settings of a variant that one kind of adapter has."""
ADAPTER_SIZES = {
    "fca": ("queries_per_frame", "ftc_width", "ftc_heads", "attention_heads"),
    "lora": ("lora_rank", "lora_alpha"),
    "controlnet": ("control_layers",),
}
"""Settings in `adapter` that one kind of adapter has."""
