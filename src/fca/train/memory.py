"""Gradient checkpointing for the first layers of the transformer, and, if these are all, for the adapter."""

from diffusers import CogVideoXTransformer3DModel
from torch import nn
from torch.utils.checkpoint import checkpoint

from fca.model import FCA, Denoiser


def checkpoint_denoiser(denoiser: Denoiser, layers: int) -> None:
    """Checkpoint the first `layers` blocks of the transformer; if these are all, also gamma of every layer of FCA.

    gamma's activations of all layers are there from the start of the forward pass to the end of the backward pass, 1.1
    GiB at full size. To compute them again is 0.6 % of a step's work.
    """
    checkpoint_layers(denoiser.transformer, layers)
    if isinstance(denoiser, FCA):
        if layers >= len(denoiser.transformer.transformer_blocks):
            denoiser.adapter.enable_gradient_checkpointing(_again)
        else:
            denoiser.adapter.disable_gradient_checkpointing()


def checkpoint_layers(transformer: CogVideoXTransformer3DModel, layers: int) -> None:
    """Checkpoint the first `layers` blocks of the transformer (all if there are fewer), and no others.

    A checkpointed block keeps only its inputs: T d numbers a clip, for T tokens of width d. The backward pass reaches
    the first blocks last, when the others' activations are freed. Nothing in a block is random, so no state of a
    random number generator is kept.
    """
    if layers == 0:
        transformer.disable_gradient_checkpointing()
        return
    chosen = set(transformer.transformer_blocks[:layers])

    def run(block: nn.Module, *inputs):
        if block not in chosen:
            return block(*inputs)
        return _again(block, *inputs)

    transformer.enable_gradient_checkpointing(run)


def _again(module: nn.Module, *inputs):
    """The module's output; the backward pass computes its activations again."""
    return checkpoint(module, *inputs, use_reentrant=False, preserve_rng_state=False)
