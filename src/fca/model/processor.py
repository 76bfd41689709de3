"""FCA's addition to one block of the transformer."""

from dataclasses import dataclass, field

import torch
from diffusers.models.attention_dispatch import AttentionBackendName
from diffusers.models.attention_processor import Attention, CogVideoXAttnProcessor2_0
from torch import Tensor, nn

from fca.model.attention import FCAAttention, KeysValues, Rotary
from fca.model.text_conditioning import FramePreNorm, FrameWiseTextConditioning


@dataclass(frozen=True)
class Condition:
    """The inputs of FCA's attention, per layer; all but the last two are computed once a video.

    initial: keys and values of X_init for each layer.
    frames: y_frames (B, f * q, d) for each layer, before the pre-norm; None without frame-wise text conditioning.
    frame_keys_values: of y_frames for each layer, if no pre-norm makes them depend on the noise level.
    refine: each layer hands y_frames on, refined by its attention ("uniform+R").
    time_embedding: (B, time_width) of the noise level, put in by `denoise` for each call.
    refined: y_frames as each layer after the first receives them, written by the layers during one call.
    """

    initial: list[KeysValues]
    frames: list[Tensor] | None
    latent_frames: int
    frame_keys_values: list[KeysValues] | None = None
    refine: bool = False
    time_embedding: Tensor | None = None
    refined: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """Features (B, s, d) as the layers note them. Not a bare list: accelerate's offloading hands on a copy of that."""

    features: list[Tensor] = field(default_factory=list)


class FCALayer(nn.Module):
    """The trained parts of one block: the attention, its own gamma^i if it has one, and the pre-norm."""

    def __init__(
        self, attention: FCAAttention, conditioning: FrameWiseTextConditioning | None, pre_norm: FramePreNorm | None
    ):
        super().__init__()
        self.attention = attention
        self.conditioning = conditioning
        self.pre_norm = pre_norm


class FCAProcessor:
    """Attention processor of one block: the base attention, plus FCA's where a condition is passed.

    With `record` instead of a condition, it notes the block's normalised video tokens in it: the layer-wise embeddings
    of the initial frames. With neither, the base runs bit for bit.

    Args:
        index: number of the block. layer: what is trained for it.
        blocks: f, to tie each frame to its block of y_frames; None without the mask.
    """

    def __init__(self, index: int, layer: FCALayer, blocks: int | None):
        self.index, self.layer, self.blocks = index, layer, blocks
        self.base = CogVideoXAttnProcessor2_0()
        self.gates: tuple[Tensor, Tensor] | None = None  # of the block, set by `add_after_gate`
        self._attention_backend: AttentionBackendName | None = None  # set by diffusers' `set_attention_backend`

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Rotary | None = None,
        condition: Condition | None = None,
        record: Record | None = None,
    ) -> tuple[Tensor, Tensor]:
        video, text = self.base(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
        if self.gates is not None:
            video, text = self.gates[0] * video, self.gates[1] * text
        if record is not None:
            record.features.append(hidden_states)
        if condition is None:
            return video, text
        initial = condition.initial[self.index]
        text_addition, video_addition = self.layer.attention(
            encoder_hidden_states,
            hidden_states,
            initial,
            self.frame_keys_values(condition, encoder_hidden_states),
            self.blocks,
            image_rotary_emb,
            self._attention_backend,
        )
        return video + video_addition, text + text_addition

    def frame_keys_values(self, condition: Condition, text: Tensor) -> KeysValues | None:
        """Keys and values of y_frames at this layer; with "uniform+R", y_frames are handed on, refined."""
        if condition.frame_keys_values is not None:
            return condition.frame_keys_values[self.index]
        if condition.frames is None:
            return None
        received = condition.refined.get(self.index, condition.frames[self.index])
        pre_norm = self.layer.pre_norm
        frames = received if pre_norm is None else pre_norm(received, condition.time_embedding)
        own = self.layer.attention.keys_values(frames)
        if condition.refine:
            addition = self.layer.attention.refine(
                frames, own, text, condition.initial[self.index], self._attention_backend
            )
            condition.refined[self.index + 1] = received + addition
        return own


def add_after_gate(block: nn.Module, processor: FCAProcessor) -> None:
    """Let the processor's addition bypass the block's gate: h + gate * attention + addition.

    The block multiplies whatever its attention returns by the gate of its first norm. So the norm returns ones
    instead of the gate, and the processor multiplies the base's part by the gate itself; without a condition the
    result is the same to the last bit.
    """

    def take_gates(module: nn.Module, args: tuple, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        video, text, video_gate, text_gate = output
        processor.gates = (video_gate, text_gate)
        return video, text, torch.ones_like(video_gate), torch.ones_like(text_gate)

    block.fca_gate_hook = block.norm1.register_forward_hook(take_gates)


def add_before_gate(block: nn.Module) -> None:
    """Undo `add_after_gate` of another adapter."""
    if (hook := getattr(block, "fca_gate_hook", None)) is not None:
        hook.remove()
        block.fca_gate_hook = None
