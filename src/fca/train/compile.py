"""torch.compile for the parts of a block that are the same in every layer."""

from diffusers.models.attention import FeedForward
from diffusers.models.normalization import CogVideoXLayerNormZero

from fca.model import Denoiser
from fca.model.attention import FCAAttention

SAME_IN_EVERY_LAYER = (CogVideoXLayerNormZero, FeedForward, FCAAttention)


def compile_layers(denoiser: Denoiser, backend: str = "inductor") -> None:
    """Compile the adaptive norms, feed-forwards and FCA attentions; weights keep their names.

    Whole blocks don't work: a block receives a list with something for every layer, so torch would recompile it for
    each. These parts see only tensors, so their few graphs serve all layers.
    """
    for module in denoiser.modules():
        if isinstance(module, SAME_IN_EVERY_LAYER):
            module.compile(backend=backend)
