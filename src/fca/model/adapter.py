"""The FCA adapter: all that is trained, beside a frozen CogVideoX transformer whose forward is left alone.

The adapter hooks into the base through diffusers' attention processors, as IP-Adapter does: every block's processor
runs the base attention as it is and, when it is handed a condition, adds that layer's FCA output. The frozen copy of
the transformer that the paper uses to embed the initial frames is the same transformer, run without a condition.
"""

from dataclasses import dataclass, replace

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.attention_processor import Attention, CogVideoXAttnProcessor2_0
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from fca.errors import FcaError
from fca.model.attention import FCAAttention
from fca.model.text_conditioning import FramePreNorm, FrameWiseTextConditioning


@dataclass(frozen=True)
class Condition:
    """What a clip is conditioned on, per layer; all but `time_embedding` is made once a video.

    initial: keys and values (B, heads, s, d / heads) of X_init for each layer.
    frames: y_frames (B, f, q, d) for each layer, before the pre-norm; None without frame-wise text conditioning.
    time_embedding: (B, time_width) of the noise level, put in by `denoise` for each call.
    """

    initial: list[tuple[Tensor, Tensor]]
    frames: list[Tensor] | None
    latent_frames: int
    time_embedding: Tensor | None = None


class FCALayer(nn.Module):
    """What FCA adds to one transformer block: the attention block, gamma^i and the pre-norm of its output."""

    def __init__(
        self,
        attention: FCAAttention,
        conditioning: FrameWiseTextConditioning | None,
        pre_norm: FramePreNorm | None,
    ):
        super().__init__()
        self.attention = attention
        self.conditioning = conditioning
        self.pre_norm = pre_norm


class FCAProcessor:
    """Attention processor of one block: the base attention, plus FCA's where a condition is given.

    With `record` (a list) in place of a condition, it appends the block's normalised video tokens instead: the
    layer-wise embeddings of the initial frames. With neither, the base runs bit for bit.
    """

    def __init__(self, index: int, layer: FCALayer):
        self.index = index
        self.layer = layer
        self.base = CogVideoXAttnProcessor2_0()

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        condition: Condition | None = None,
        record: list[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        video, text = self.base(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
        if record is not None:
            record.append(hidden_states)
        if condition is None:
            return video, text
        frames = None
        if condition.frames is not None and self.layer.pre_norm is not None:
            frames = self.layer.pre_norm(condition.frames[self.index], condition.time_embedding)
        text_addition, video_addition = self.layer.attention(
            encoder_hidden_states,
            hidden_states,
            condition.initial[self.index],
            frames,
            condition.latent_frames,
        )
        return video + video_addition, text + text_addition


class FCAAdapter(ModelMixin, ConfigMixin):
    """Frame-wise Conditioning Adaptation for a CogVideoX transformer; with the 2B base 880 M trainable parameters.

    Args:
        num_layers, width, heads, time_width: of the transformer (30, 1920, 30, 512); see `for_transformer`.
        latent_frames: f (4).
        queries_per_frame: q (226).
        text_width, vision_width, conditioning_heads: of the frozen BLIP-2 parts (768, 1408, 12).
        initial_scale: start of the learned scale of each layer (0.1).
        frame_wise_text: false leaves y_frames out of the keys and values (Table 3, row 2).
    """

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
        initial_scale: float = 0.1,
        frame_wise_text: bool = True,
    ):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            conditioning = pre_norm = None
            if frame_wise_text:
                conditioning = FrameWiseTextConditioning(
                    latent_frames, queries_per_frame, text_width, vision_width, width, conditioning_heads
                )
                pre_norm = FramePreNorm(width, time_width)
            self.layers.append(FCALayer(FCAAttention(width, heads, initial_scale), conditioning, pre_norm))

    @classmethod
    def for_transformer(cls, transformer: CogVideoXTransformer3DModel, **settings) -> "FCAAdapter":
        """A new adapter whose sizes fit `transformer`; `settings` are the remaining constructor arguments."""
        config = transformer.config
        return cls(
            num_layers=config.num_layers,
            width=config.num_attention_heads * config.attention_head_dim,
            heads=config.num_attention_heads,
            time_width=config.time_embed_dim,
            **settings,
        )

    def attach(self, transformer: CogVideoXTransformer3DModel) -> None:
        """Freeze `transformer` and give each of its blocks this adapter's processor.

        Raises:
            FcaError: the transformer's sizes are not what this adapter was made for, or it is a kind of CogVideoX
                (rotary positions, image-to-video) that training and sampling here don't know yet.
        """
        config = transformer.config
        if config.use_rotary_positional_embeddings or config.patch_size_t or config.in_channels != config.out_channels:
            raise FcaError(
                "this CogVideoX has rotary positions, patches in time, or image channels",
                "a text-to-video transformer with fixed positions, such as CogVideoX-2B",
                "use THUDM/CogVideoX-2b as base.model",
            )
        theirs = (
            config.num_layers,
            config.num_attention_heads * config.attention_head_dim,
            config.num_attention_heads,
            config.time_embed_dim,
        )
        ours = (self.config.num_layers, self.config.width, self.config.heads, self.config.time_width)
        if ours != theirs:
            raise FcaError(
                f"the adapter is made for (layers, width, heads, time width) = {ours}, the transformer has {theirs}",
                "an adapter trained on this base",
                "use the base that the adapter was trained on, or train again",
            )
        transformer.requires_grad_(False)
        for index, (block, layer) in enumerate(zip(transformer.transformer_blocks, self.layers, strict=True)):
            block.attn1.set_processor(FCAProcessor(index, layer))

    def condition(
        self,
        initial_features: list[Tensor],
        text: Tensor,
        text_mask: Tensor,
        vision: Tensor,
    ) -> Condition:
        """Keys and values of X_init and y_frames of every layer.

        Args:
            initial_features: X_init from `embed_initial_frames`, one (B, s, d) per layer.
            text, text_mask: (B, m, text_width) and (B, m), the caption's BERT-style embeddings.
            vision: (B, v, vision_width), ViT tokens of the first frame.
        """
        initial = [
            layer.attention.keys_values(features) for layer, features in zip(self.layers, initial_features, strict=True)
        ]
        frames = None
        if self.config.frame_wise_text:
            frames = [layer.conditioning(text, text_mask, vision) for layer in self.layers]
        return Condition(initial, frames, self.config.latent_frames)


@torch.no_grad()
def embed_initial_frames(
    transformer: CogVideoXTransformer3DModel,
    noisy_initial: Tensor,
    prompt_embeds: Tensor,
    reference_timestep: int,
) -> list[Tensor]:
    """X_init: the layer-wise embeddings of the initial frames by the frozen transformer (section 3.2).

    Args:
        transformer: a CogVideoX transformer with an adapter attached.
        noisy_initial: (B, 1, C, H, W), the latent of the initial frames noised to `reference_timestep`.
        prompt_embeds: (B, l_t, text_embed_dim).
        reference_timestep: t_ref, the step the noise belongs to and the network is told (1 of 1000).

    Returns:
        One (B, s, d) per layer: the video tokens after the block's adaptive layer norm, in front of its attention.
    """
    record: list[Tensor] = []
    timestep = torch.full((noisy_initial.shape[0],), reference_timestep, device=noisy_initial.device)
    transformer(
        noisy_initial,
        prompt_embeds,
        timestep,
        attention_kwargs={"record": record},
        return_dict=False,
    )
    return record


def denoise(
    transformer: CogVideoXTransformer3DModel,
    noisy: Tensor,
    prompt_embeds: Tensor,
    timestep: Tensor,
    condition: Condition | None,
) -> Tensor:
    """v-prediction of the adapted transformer, or of the bare one where `condition` is None.

    Args:
        noisy: x_t (B, f, C, H, W). prompt_embeds: y (B, l_t, text_embed_dim). timestep: t (B,).

    Returns:
        (B, f, C, H, W).
    """
    attention_kwargs = None
    if condition is not None:
        if noisy.shape[1] != condition.latent_frames:
            raise ValueError(f"x_t has {noisy.shape[1]} latent frames, the adapter is for {condition.latent_frames}")
        time_embedding = transformer.time_embedding(transformer.time_proj(timestep).to(noisy.dtype))
        attention_kwargs = {"condition": replace(condition, time_embedding=time_embedding)}
    return transformer(
        noisy,
        prompt_embeds,
        timestep,
        attention_kwargs=attention_kwargs,
        return_dict=False,
    )[0]
