"""The training objective: v-prediction mean squared error in fp32.

The paper writes the noise-prediction loss (Eqs. 1 and 4); its base model predicts v under a schedule with zero
terminal signal, where a noise loss says nothing at the last step. CogVideoX's own weighted x_0 loss equals this one.
"""

import torch.nn.functional as F
from torch import Tensor


def diffuse(alphas_cumprod: Tensor, clean: Tensor, noise: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
    """x_t = sqrt(a) x_0 + sqrt(1 - a) noise and v = sqrt(a) noise - sqrt(1 - a) x_0, with a = alphas_cumprod[t].

    clean, noise (B, f, C, H, W) float32; timestep (B,) int64; both results are shaped like `clean`.
    """
    alpha = alphas_cumprod[timestep].to(clean).view(-1, 1, 1, 1, 1)
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise, alpha.sqrt() * noise - (1 - alpha).sqrt() * clean


def v_loss(prediction: Tensor, velocity: Tensor) -> Tensor:
    """Mean squared error over all latent frames, in float32 whatever the prediction's precision."""
    return F.mse_loss(prediction.float(), velocity.float())
