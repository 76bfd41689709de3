"""The image-to-video base of Table 2, which continues one picture: bare, or with low-rank weights."""

from pathlib import Path

import torch
from diffusers import CogVideoXTransformer3DModel

from fca.errors import FcaError
from fca.model.denoiser import Denoiser, Velocity, predict_velocity
from fca.model.inputs import InitialFrames, Prompt
from fca.model.lora import save_lora


def is_image_to_video(transformer: CogVideoXTransformer3DModel) -> bool:
    """Whether the transformer takes the latent of a picture in additional channels."""
    return transformer.config.in_channels == 2 * transformer.config.out_channels


class ImageToVideo(Denoiser):
    """CogVideoX-I2V: the latent of the first frame, followed by zeros, is concatenated to x_t along the channels.

    As in diffusers' CogVideoXImageToVideoPipeline; the picture's latent carries no noise.
    """

    def prepare(self, initial_frames: InitialFrames, prompt: Prompt) -> Velocity:
        embeds = prompt.prompt_embeds
        initial = initial_frames.latent.to(embeds.dtype)  # (B, 1, C, h, w)

        def velocity(noisy: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            patch = self.transformer.config.patch_size_t or 1
            if noisy.shape[1] % patch:
                raise FcaError(
                    f"a clip of {noisy.shape[1]} latent frames can't be cut into patches of {patch}",
                    f"clip.frames whose latent frames (a fourth of them, rounded up) are a multiple of {patch}",
                )
            picture = torch.cat([initial, torch.zeros_like(noisy[:, 1:])], dim=1)
            return predict_velocity(self.transformer, torch.cat([noisy, picture], dim=2), embeds, timestep)

        return velocity

    def save(self, folder: Path) -> None:
        save_lora(self.transformer, folder)
