"""Gradient checkpointing for the first layers of the transformer."""

from diffusers import CogVideoXTransformer3DModel
from torch import nn
from torch.utils.checkpoint import checkpoint


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
        return checkpoint(block, *inputs, use_reentrant=False, preserve_rng_state=False)

    transformer.enable_gradient_checkpointing(run)
