"""The training objective, in fp32.

The paper writes the noise-prediction loss (Eqs. 1 and 4); its base model predicts v under a schedule with zero
terminal signal, where a noise loss says nothing at the last step. CogVideoX's own weighted x_0 loss equals the plain
mean squared error of v, which is the default.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Loss = Literal["v", "epsilon"]


def v_loss(prediction: Tensor, velocity: Tensor) -> Tensor:
    """Mean squared error over all latent frames, in float32 whatever the prediction's precision."""
    return F.mse_loss(prediction.float(), velocity.float())


def epsilon_loss(prediction: Tensor, velocity: Tensor, alpha: Tensor) -> Tensor:
    """Eq. 4 as written, for a model that predicts v.

    With x_t fixed, the noise that a velocity stands for is sqrt(a) v + sqrt(1 - a) x_t, so the error of the noise is
    sqrt(a) times the error of v.

    Args:
        prediction, velocity: (B, f, C, h, w). alpha: alphas_cumprod at each clip's timestep, (B,).
    """
    error = (prediction.float() - velocity.float()).square().flatten(1).mean(1)
    return (alpha.float() * error).mean()
