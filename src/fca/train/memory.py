"""Memory against time: layers whose activations are computed again in the backward pass instead of being kept."""

from diffusers import CogVideoXTransformer3DModel
from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_layers(transformer: CogVideoXTransformer3DModel, layers: int) -> None:
    """Checkpoint the first `layers` blocks of the transformer (all where there are fewer), and no others.

    Of a checkpointed block only its inputs are kept: T d numbers a clip, for T tokens of width d. The first blocks
    are chosen, because the backward pass comes to them last, when the others' activations are gone. Nothing in a
    block is random, so no state of a random number generator is kept.
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
