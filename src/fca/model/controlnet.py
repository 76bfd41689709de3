"""A ControlNet for CogVideoX, the other way of inserting initial frames that the paper tries (section 4.3, Figure 6).

The paper names two public designs for diffusion transformers and says that both did equally badly. As in both, a copy
of the transformer's first blocks reads x_t plus the control, and zero-initialised projections of the copied blocks'
outputs are added to the frozen transformer. Depth (half of the layers) and a latent as control are HunyuanDiT's. It
adds to skip connections, which CogVideoX lacks, so here each output is added behind the block it was copied from.
"""

from pathlib import Path

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fca.errors import FcaError
from fca.model.attention import Rotary
from fca.model.denoiser import Denoiser, Velocity, predict_velocity, rotary_positions
from fca.model.inputs import InitialFrames, Prompt

CONTROLS = ("repeated", "zeros")


def zeroed(linear: nn.Linear) -> nn.Linear:
    """The layer with all weights zero."""
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


class CogVideoXControlNet(ModelMixin, ConfigMixin):
    """The trained copy of the first blocks.

    Args:
        layers: blocks copied. control: `repeated`, the latent of the initial frames in every latent frame; `zeros`,
            in the first latent frame, and zeros in the others.
        heads, head_width, time_width, channels, patch, attention_bias: of the transformer.
    """

    @register_to_config
    def __init__(
        self,
        layers: int,
        control: str,
        heads: int,
        head_width: int,
        time_width: int,
        channels: int,
        patch: int,
        attention_bias: bool,
    ):
        super().__init__()
        if control not in CONTROLS:
            raise ValueError(f"control is {control!r}, not one of {', '.join(CONTROLS)}")
        width = heads * head_width
        self.control_embed = nn.Conv2d(channels, width, patch, stride=patch)
        self.control_in = zeroed(nn.Linear(width, width))
        self.blocks = nn.ModuleList(
            CogVideoXBlock(width, heads, head_width, time_width, attention_bias=attention_bias) for _ in range(layers)
        )
        self.control_out = nn.ModuleList(zeroed(nn.Linear(width, width)) for _ in range(layers))

    @classmethod
    def for_transformer(
        cls, transformer: CogVideoXTransformer3DModel, layers: int, control: str
    ) -> "CogVideoXControlNet":
        """A new ControlNet whose blocks start as copies of the transformer's first ones.

        Raises:
            FcaError: the transformer has patches in time or image channels, which this design lacks.
        """
        config = transformer.config
        if config.patch_size_t or config.in_channels != config.out_channels or layers > config.num_layers:
            raise FcaError(
                f"no ControlNet of {layers} layers for this transformer",
                f"a text-to-video CogVideoX without patches in time, and at most {config.num_layers} layers",
                "use THUDM/CogVideoX-2b as base.model, and fewer adapter.control_layers",
            )
        new = cls(
            layers,
            control,
            heads=config.num_attention_heads,
            head_width=config.attention_head_dim,
            time_width=config.time_embed_dim,
            channels=config.in_channels,
            patch=config.patch_size,
            attention_bias=config.attention_bias,
        )
        new.control_embed.load_state_dict(
            {name: value.float() for name, value in transformer.patch_embed.proj.state_dict().items()}
        )
        for copied, block in zip(new.blocks, transformer.transformer_blocks, strict=False):
            copied.load_state_dict({name: value.float() for name, value in block.state_dict().items()})
        return new

    def embed(self, initial: Tensor, frames: int) -> Tensor:
        """The control's latent, made of (B, 1, C, h, w), as tokens (B, frames * s, d)."""
        repeated = initial.expand(-1, frames, -1, -1, -1)
        if self.config.control == "zeros":
            repeated = torch.cat([initial, torch.zeros_like(repeated[:, 1:])], dim=1)
        tokens = self.control_embed(repeated.flatten(0, 1)).flatten(2).transpose(1, 2)  # (B * frames, s, d)
        return self.control_in(tokens.unflatten(0, (-1, frames)).flatten(1, 2))

    def forward(
        self,
        tokens: Tensor,
        text_length: int,
        control: Tensor,
        time_embedding: Tensor,
        rotary: Rotary | None,
        checkpointed: bool = False,
    ) -> list[Tensor]:
        """What to add to the video tokens behind each of the first blocks: (B, f * s, d) for each.

        tokens: (B, l_t + f * s, d), the transformer's embedded text and x_t. control: from `embed`. checkpointed:
        recompute activations in the backward pass.
        """
        text, video = tokens[:, :text_length], tokens[:, text_length:] + control
        additions = []
        for block, project in zip(self.blocks, self.control_out, strict=True):
            inputs = (video, text, time_embedding, rotary)
            video, text = checkpoint(block, *inputs, use_reentrant=False) if checkpointed else block(*inputs)
            additions.append(project(video))
        return additions


class ControlNet(Denoiser):
    """The frozen transformer with a ControlNet."""

    def __init__(self, transformer: CogVideoXTransformer3DModel, controlnet: CogVideoXControlNet):
        super().__init__(transformer.requires_grad_(False))
        self.controlnet = controlnet
        self.additions: list[Tensor] = []  # of the call under way, and until its gradients are computed
        for index, block in enumerate(transformer.transformer_blocks[: len(controlnet.blocks)]):
            block.register_forward_hook(self._adder(index))

    def _adder(self, index: int):
        def add(module: nn.Module, args: tuple, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | None:
            if not self.additions:  # another model, which shares the transformer, calls it
                return None
            return output[0] + self.additions[index], output[1]

        return add

    def prepare(self, initial_frames: InitialFrames, prompt: Prompt) -> Velocity:
        embeds = prompt.prompt_embeds
        initial = initial_frames.latent.to(embeds.dtype)

        def velocity(noisy: Tensor, timestep: Tensor) -> Tensor:
            base = self.transformer
            time_embedding = base.time_embedding(base.time_proj(timestep).to(noisy.dtype))
            tokens = base.patch_embed(embeds, noisy)
            control = self.controlnet.embed(initial, noisy.shape[1])
            rotary = rotary_positions(base, noisy)
            checkpointed = base.gradient_checkpointing and torch.is_grad_enabled()
            length = embeds.shape[1]
            self.additions = self.controlnet(tokens, length, control, time_embedding, rotary, checkpointed)
            try:
                return predict_velocity(base, noisy, embeds, timestep)
            finally:
                if not torch.is_grad_enabled():
                    self.additions = []

        return velocity

    def save(self, folder: Path) -> None:
        self.controlnet.save_pretrained(folder)
