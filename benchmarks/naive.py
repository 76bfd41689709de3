"""The rival: FCA as it is written down in the paper, each thing where it is needed, with nothing saved.

- The mask is a dense boolean matrix, and attention runs over all keys.
- The initial frames go through a second, frozen copy of the transformer.
- Keys and values of X_init, and y_frames, are made in each call; guidance runs its two branches one after the other.
- In training, VAE, T5 and ViT run on every batch.

Same weights, same precision, same optimizer, and the same layers checkpointed as the project's own version.
"""

import copy

import torch
import torch.nn.functional as F
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from diffusers.models.attention_processor import Attention, CogVideoXAttnProcessor2_0
from torch import Tensor, nn

from benchmarks.networks import FrozenEncoders
from fca.model import FCA, InitialFrames, Prompt
from fca.model.diffusion import diffuse
from fca.model.processor import FCALayer


def dense_mask(text: int, frames: int, tokens: int, initial: int, queries: int, device: torch.device) -> Tensor:
    """(text + frames * tokens, text + initial + frames * queries) bool: video tokens of a frame see its own block."""
    row = torch.arange(frames, device=device).repeat_interleave(tokens)
    column = torch.arange(frames, device=device).repeat_interleave(queries)
    mask = torch.ones(text + frames * tokens, text + initial + frames * queries, dtype=torch.bool, device=device)
    mask[text:, text + initial :] = row[:, None] == column[None, :]
    return mask


class DenseProcessor:
    """Attention of one block: the base's, plus FCA's with the dense mask."""

    def __init__(self, index: int, layer: FCALayer):
        self.index, self.layer = index, layer
        self.base = CogVideoXAttnProcessor2_0()

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        features: list[Tensor],
        frames: list[Tensor],
        time_embedding: Tensor,
        mask: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        video, text = self.base(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
        received, pre_norm = frames[self.index], self.layer.pre_norm
        normed = received if pre_norm is None else pre_norm(received, time_embedding)
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)  # Z = [y; x_t]
        sources = torch.cat([encoder_hidden_states, features[self.index].to(tokens), normed.to(tokens)], dim=1)
        own = self.layer.attention
        keys, values = own.keys_values(sources)
        addition = own.output(F.scaled_dot_product_attention(own.queries(tokens), keys, values, attn_mask=mask))
        length = encoder_hidden_states.shape[1]
        return video + addition[:, length:], text + addition[:, :length]


class NaiveFCA(nn.Module):
    """The same transformer and adapter as `model`, and a second transformer."""

    def __init__(self, model: FCA):
        super().__init__()
        self.model, self.transformer, self.adapter = model, model.transformer, model.adapter
        self.transformer.set_attn_processor(CogVideoXAttnProcessor2_0())
        self.copy: CogVideoXTransformer3DModel = copy.deepcopy(self.transformer)
        self.copy.disable_gradient_checkpointing()
        self.record: list[Tensor] = []
        for block in self.copy.transformer_blocks:
            block.attn1.register_forward_pre_hook(self.keep, with_kwargs=True)
        model.adapter.attach(self.transformer)

    def keep(self, module: nn.Module, args: tuple, kwargs: dict[str, Tensor]) -> None:
        """X_init of a layer."""
        self.record.append(kwargs["hidden_states"])

    def attach(self) -> None:
        """Put the dense attention into the transformer; `model.adapter.attach` takes it out again."""
        for index, (block, layer) in enumerate(
            zip(self.transformer.transformer_blocks, self.adapter.layers, strict=True)
        ):
            block.attn1.set_processor(DenseProcessor(index, layer))

    def forward(self, initial_frames: InitialFrames, prompt: Prompt, noisy: Tensor, timestep: Tensor) -> Tensor:
        """v-prediction (B, f, C, h, w)."""
        transformer, adapter = self.transformer, self.adapter
        reference = torch.full_like(timestep, self.model.t_ref)
        noisy_initial, _ = diffuse(self.model.alphas_cumprod, initial_frames.latent, initial_frames.noise, reference)
        self.record = []
        with torch.no_grad():
            self.copy(noisy_initial.to(noisy.dtype), prompt.prompt_embeds, reference, return_dict=False)
        features = self.record
        vision = initial_frames.vision.to(prompt.text_embeds.dtype)
        frames = [
            layer.conditioning(prompt.text_embeds, prompt.text_mask, vision).flatten(1, 2) for layer in adapter.layers
        ]
        latent_frames, queries = adapter.config.latent_frames, adapter.config.queries_per_frame
        initial = features[0].shape[1]
        text = prompt.prompt_embeds.shape[1]
        attention_kwargs = {
            "features": features,
            "frames": frames,
            "time_embedding": transformer.time_embedding(transformer.time_proj(timestep).to(noisy.dtype)),
            "mask": dense_mask(text, latent_frames, initial, initial, queries, noisy.device),
        }
        return transformer(noisy, prompt.prompt_embeds, timestep, attention_kwargs=attention_kwargs, return_dict=False)[
            0
        ]


def encoded(
    encoders: FrozenEncoders,
    pixels: Tensor,
    token_ids: Tensor,
    initial_frames: InitialFrames,
    prompt: Prompt,
    count: int,
) -> tuple[Tensor, InitialFrames, Prompt]:
    """x_0 and the inputs of a batch, from its pixels and words; `count` of its frames are initial ones."""
    clean = encoders.latent(pixels)
    initial = encoders.latent(pixels[:, :count])
    vision = encoders.vision(pixels[:, 0])
    device = clean.device
    words = Prompt(encoders.prompt(token_ids), prompt.text_embeds.to(device), prompt.text_mask.to(device))
    return clean, InitialFrames(initial, initial_frames.noise.to(device), vision), words


@torch.no_grad()
def naive_latents(
    naive: NaiveFCA,
    scheduler: CogVideoXDDIMScheduler,
    initial_frames: InitialFrames,
    prompt: Prompt,
    empty: Prompt,
    noise: Tensor,
    steps: int,
    guidance_scale: float,
) -> Tensor:
    """DDIM: in every step two branches, each with a reference pass of its own (Eq. 2)."""
    dtype = naive.transformer.dtype
    scheduler.set_timesteps(steps, device=noise.device)
    latents = noise.float()
    for timestep in scheduler.timesteps:
        times = timestep.expand(len(latents))
        with_caption, without = (
            naive(initial_frames, branch.to(dtype), latents.to(dtype), times).float() for branch in (prompt, empty)
        )
        velocity = guidance_scale * with_caption + (1 - guidance_scale) * without
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
    return latents
