"""The FCA adapter: everything that is trained, next to a frozen CogVideoX transformer with an unchanged forward.

The adapter hooks into the base through diffusers' attention processors, as IP-Adapter does: every block's processor
runs the unchanged base attention and, if a condition is passed, adds that layer's FCA output. The frozen copy of
the transformer that the paper uses to embed the initial frames is the same transformer, run without a condition.
"""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, get_args

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from fca.errors import FcaError
from fca.model.attention import FCAAttention
from fca.model.denoiser import Denoiser, Velocity, predict_velocity, rotary_positions
from fca.model.diffusion import diffuse
from fca.model.inputs import InitialFrames, Prompt
from fca.model.processor import Condition, FCALayer, FCAProcessor, Record, add_after_gate, add_before_gate
from fca.model.text_conditioning import FramePreNorm, FrameWiseTextConditioning

FrameWiseText = Literal["layer_wise", "uniform", "uniform_refined", "none"]


class FCAAdapter(ModelMixin, ConfigMixin):
    """Frame-wise Conditioning Adaptation for a CogVideoX transformer; with the 2B base 880 M trainable parameters.

    Args:
        num_layers, width, heads, time_width: of the transformer (30, 1920, 30, 512); see `for_transformer`.
        latent_frames: f, the frames of the video latent (4), in steps of the transformer's patches in time.
        queries_per_frame: q (226).
        text_width, vision_width, conditioning_heads: of the frozen BLIP-2 parts (768, 1408, 12).
        attention_heads: heads of the adapter's parallel attention, as wide as the transformer's; None: as many.
        initial_scale: start of the learned scale of each layer (0.1).
        frame_wise_text: a module gamma for each layer; `uniform`: one for all; `uniform_refined`: one, whose output
            each layer's FCA attention refines further ("uniform+R"); `none` (Table 3, Figures 2 and 8).
        frame_mask: the video tokens of a frame see their own block of y_frames alone (Table 3, rows 5 and 6).
        pre_norm: y_frames pass a learned pre-norm in front of the attention (Table 4).
        gate: add the output before or after the block's own gate (left open by the paper).
    """

    _no_split_modules: ClassVar[list[str]] = ["FCALayer"]
    _repeated_blocks: ClassVar[list[str]] = ["FCAAttention", "FrameWiseTextConditioning"]
    _keep_in_fp32_modules: ClassVar[list[str]] = ["scale"]
    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        num_layers: int,
        width: int,
        heads: int,
        time_width: int,
        latent_frames: int,
        queries_per_frame: int,
        text_width: int,
        vision_width: int,
        conditioning_heads: int,
        attention_heads: int | None = None,
        initial_scale: float = 0.1,
        frame_wise_text: FrameWiseText = "layer_wise",
        frame_mask: bool = True,
        pre_norm: bool = True,
        gate: Literal["before", "after"] = "before",
    ):
        super().__init__()
        if frame_wise_text not in get_args(FrameWiseText) or gate not in ("before", "after"):
            raise ValueError(
                f"frame_wise_text is {frame_wise_text!r} and gate {gate!r}; see the class for what there is"
            )
        if frame_wise_text == "uniform_refined" and frame_mask:
            raise ValueError("uniform_refined has no mask: its embeddings attend to each other across frames")

        def conditioning() -> FrameWiseTextConditioning:
            return FrameWiseTextConditioning(
                latent_frames, queries_per_frame, text_width, vision_width, width, conditioning_heads
            )

        self.gradient_checkpointing = False
        self.conditioning = conditioning() if frame_wise_text in ("uniform", "uniform_refined") else None
        normed = pre_norm and frame_wise_text != "none"
        self.layers = nn.ModuleList(
            FCALayer(
                FCAAttention(width, attention_heads or heads, initial_scale, width // heads),
                conditioning() if frame_wise_text == "layer_wise" else None,
                FramePreNorm(width, time_width) if normed else None,
            )
            for _ in range(num_layers)
        )

    @classmethod
    def for_transformer(cls, transformer: CogVideoXTransformer3DModel, **settings) -> "FCAAdapter":
        """A new adapter whose sizes fit `transformer`; `settings` are the remaining constructor arguments."""
        return cls(**sizes_of(transformer), **settings)

    def attach(self, transformer: CogVideoXTransformer3DModel) -> None:
        """Freeze `transformer` and give each of its blocks this adapter's processor.

        Raises:
            FcaError: the transformer's sizes are not what this adapter was made for, or it is image-to-video.
        """
        config = transformer.config
        if config.in_channels != config.out_channels:
            raise FcaError(
                f"the transformer takes {config.in_channels} channels and gives {config.out_channels}:"
                " it is image-to-video",
                "a text-to-video CogVideoX, such as CogVideoX-2B: FCA gives it the initial frames itself",
                "use THUDM/CogVideoX-2b as base.model",
            )

        theirs = sizes_of(transformer)
        ours = {name: self.config[name] for name in theirs}
        if ours != theirs:
            raise FcaError(
                f"the adapter is made for {ours}, the transformer has {theirs}",
                "an adapter trained on this base",
                "use the base that the adapter was trained on, or train again",
            )

        transformer.requires_grad_(False)
        for index, (block, layer) in enumerate(zip(transformer.transformer_blocks, self.layers, strict=True)):
            processor = FCAProcessor(index, layer, self.config.latent_frames if self.config.frame_mask else None)
            block.attn1.set_processor(processor)
            add_before_gate(block)
            if self.config.gate == "after":
                add_after_gate(block, processor)

    def is_attached(self, transformer: CogVideoXTransformer3DModel) -> bool:
        """Whether the blocks of `transformer` call this adapter, and not another one."""
        return all(
            getattr(block.attn1.processor, "layer", None) is layer
            for block, layer in zip(transformer.transformer_blocks, self.layers, strict=True)
        )

    def make_condition(
        self,
        initial_features: list[Tensor],
        text: Tensor,
        text_mask: Tensor,
        vision: Tensor,
        rotary: tuple[Tensor, Tensor] | None = None,
    ) -> Condition:
        """Keys and values of X_init and y_frames of every layer.

        Args:
            initial_features: X_init from `embed_initial_frames`, one (B, s, d) per layer.
            text, text_mask: (B, m, text_width) and (B, m), the caption's BERT-style embeddings.
            vision: (B, v, vision_width), ViT tokens of the first frame.
            rotary: positions of the initial frames' tokens, for a base that rotates them.
        """
        initial = [
            layer.attention.keys_values(features, rotary)
            for layer, features in zip(self.layers, initial_features, strict=True)
        ]
        frames: list[Tensor] | None = None
        if self.conditioning is not None:
            frames = [self._frame_wise_text(self.conditioning, text, text_mask, vision)] * len(self.layers)
        elif self.config.frame_wise_text == "layer_wise":
            frames = [self._frame_wise_text(layer.conditioning, text, text_mask, vision) for layer in self.layers]
        refine = self.config.frame_wise_text == "uniform_refined"
        fixed = None
        if frames is not None and not self.config.pre_norm and not refine:
            fixed = [layer.attention.keys_values(own) for layer, own in zip(self.layers, frames, strict=True)]
        return Condition(initial, frames, self.config.latent_frames, fixed, refine)

    def _frame_wise_text(self, gamma: FrameWiseTextConditioning, *inputs: Tensor) -> Tensor:
        """y_frames (B, f * q, d) by gamma; with gradient checkpointing its activations are computed again."""
        if self.gradient_checkpointing and torch.is_grad_enabled():
            return self._gradient_checkpointing_func(gamma, *inputs).flatten(1, 2)
        return gamma(*inputs).flatten(1, 2)


def sizes_of(transformer: CogVideoXTransformer3DModel) -> dict[str, int]:
    """The settings of an adapter that follow from its transformer."""
    config = transformer.config
    width = config.num_attention_heads * config.attention_head_dim
    heads, time_width = config.num_attention_heads, config.time_embed_dim
    return {"num_layers": config.num_layers, "width": width, "heads": heads, "time_width": time_width}


@torch.no_grad()
def embed_initial_frames(
    transformer: CogVideoXTransformer3DModel, noisy_initial: Tensor, prompt_embeds: Tensor, reference_timestep: int
) -> list[Tensor]:
    """X_init: the layer-wise embeddings of the initial frames by the frozen transformer (section 3.2).

    Args:
        transformer: a CogVideoX transformer with an adapter attached.
        noisy_initial: (B, 1, C, H, W), the latent of the initial frames noised to `reference_timestep`.
        prompt_embeds: (B, l_t, text_embed_dim).
        reference_timestep: t_ref, the step of the noise, which is also the network's timestep (1 of 1000).

    Returns:
        One (B, s, d) per layer: the video tokens after the block's adaptive layer norm, in front of its attention.
    """
    record = Record()
    timestep = torch.full((noisy_initial.shape[0],), reference_timestep, device=noisy_initial.device)
    predict_velocity(transformer, noisy_initial, prompt_embeds, timestep, {"record": record})
    return record.features


def denoise(
    transformer: CogVideoXTransformer3DModel,
    noisy: Tensor,
    prompt_embeds: Tensor,
    timestep: Tensor,
    condition: Condition | None,
) -> Tensor:
    """v-prediction of the adapted transformer, or of the bare one if `condition` is None.

    Args:
        noisy: x_t (B, f, C, H, W). prompt_embeds: y (B, l_t, text_embed_dim). timestep: t (B,).

    Returns:
        (B, f, C, H, W).
    """
    if condition is None:
        return predict_velocity(transformer, noisy, prompt_embeds, timestep)
    frames = noisy.shape[1] // (transformer.config.patch_size_t or 1)
    if frames != condition.latent_frames:
        raise ValueError(f"x_t has {frames} latent frames, the adapter is for {condition.latent_frames}")
    time_embedding = transformer.time_embedding(transformer.time_proj(timestep).to(noisy.dtype))
    here = replace(condition, time_embedding=time_embedding, refined={})
    return predict_velocity(transformer, noisy, prompt_embeds, timestep, {"condition": here})


class FCA(Denoiser):
    """The paper's model: the frozen transformer with the adapter attached.

    Args:
        alphas_cumprod: (1000,) of the base's schedule.
        t_ref: step of the noise on the initial frames (paper: "one-step noise").
    """

    def __init__(
        self, transformer: CogVideoXTransformer3DModel, adapter: FCAAdapter, alphas_cumprod: Tensor, t_ref: int
    ):
        super().__init__(transformer)
        self.adapter = adapter
        self.alphas_cumprod = alphas_cumprod
        self.t_ref = t_ref
        adapter.attach(transformer)

    def prepare(self, initial_frames: InitialFrames, prompt: Prompt) -> Velocity:
        if not self.adapter.is_attached(self.transformer):  # another model shares the transformer
            self.adapter.attach(self.transformer)
        embeds = prompt.prompt_embeds
        reference = torch.full((len(embeds),), self.t_ref, device=initial_frames.latent.device)
        noisy_initial, _ = diffuse(self.alphas_cumprod, initial_frames.latent, initial_frames.noise, reference)
        # a base with patches in time needs a whole patch of the initial frames
        patch = self.transformer.config.patch_size_t or 1
        noisy_initial = noisy_initial.to(embeds.dtype).repeat_interleave(patch, dim=1)
        features = embed_initial_frames(self.transformer, noisy_initial, embeds, self.t_ref)
        rotary = rotary_positions(self.transformer, noisy_initial)
        vision = initial_frames.vision.to(embeds.dtype)
        condition = self.adapter.make_condition(features, prompt.text_embeds, prompt.text_mask, vision, rotary)
        return lambda noisy, timestep: denoise(self.transformer, noisy, embeds, timestep, condition)

    def save(self, folder: Path) -> None:
        self.adapter.save_pretrained(folder)
