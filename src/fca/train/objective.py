"""The training objective, in float32.

The paper writes the noise-prediction loss (Eqs. 1 and 4). Its base model predicts v under a schedule with zero
terminal signal, and a noise loss is blind to the schedule's last step. CogVideoX's own weighted x_0 loss equals the
plain mean squared error of v, which is the default.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.diffusion import diffuse

Loss = Literal["v", "epsilon"]
Batch = dict[str, Tensor]


class TrainingModel(nn.Module):
    """Maps a batch of cached latents to the loss."""

    def __init__(self, denoiser: Denoiser, alphas_cumprod: Tensor, loss: Loss = "v"):
        super().__init__()
        self.denoiser = denoiser
        self.alphas_cumprod = alphas_cumprod
        self.loss = loss

    def forward(self, batch: Batch) -> Tensor:
        """L of Eq. 4 for a batch from `fca.train.data.LatentClips`."""
        initial_frames = InitialFrames(batch["initial"], batch["initial_noise"], batch["vision"])
        prompt = Prompt(batch["prompt_embeds"], batch["text_embeds"], batch["text_mask"])
        noisy, velocity = diffuse(self.alphas_cumprod, batch["clean"], batch["noise"], batch["timestep"])
        prediction = self.denoiser.prepare(initial_frames, prompt)(noisy, batch["timestep"])
        if self.loss == "v":
            return v_loss(prediction, velocity)
        alpha = self.alphas_cumprod.to(velocity.device)[batch["timestep"]]
        return epsilon_loss(prediction, velocity, alpha)


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
