"""The training objective: v-prediction mean squared error in fp32.

The paper writes the noise-prediction loss (Eqs. 1 and 4); its base model predicts v under a schedule with zero
terminal signal, where a noise loss says nothing at the last step. CogVideoX's own weighted x_0 loss equals this one.
"""

import torch.nn.functional as F
from torch import Tensor


def v_loss(prediction: Tensor, velocity: Tensor) -> Tensor:
    """Mean squared error over all latent frames, in float32 whatever the prediction's precision."""
    return F.mse_loss(prediction.float(), velocity.float())
