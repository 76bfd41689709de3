"""The VAE's two directions, a clip at a time: the others of a batch change no bit."""

import pytest
import torch

from fca.encode.vae import decode, load_vae, posterior


@pytest.mark.parametrize("precision, tolerance", [("fp32", 1e-5), ("bf16", 0)])
def test_a_clip_is_the_same_alone_and_about_the_same_in_a_batch(project, precision, tolerance):
    """Alone bit for bit; the batch as a whole gives the same bits in bf16, and differs by 6e-6 in fp32."""
    vae = load_vae(project.base, precision)
    pixels = torch.randint(0, 256, (2, 17, 8, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, logvar = posterior(vae, pixels)
    latents = vae.config.scaling_factor * mean.transpose(1, 2)
    rebuilt = decode(vae, latents)
    alone, spread = posterior(vae, pixels[1:])
    assert torch.equal(alone[0], mean[1])
    assert torch.equal(spread[0], logvar[1])
    assert torch.equal(decode(vae, latents[1:])[0], rebuilt[1])
    assert not torch.equal(mean[0], mean[1])

    with torch.no_grad():
        video = (pixels.permute(0, 4, 1, 2, 3).float() / 127.5 - 1).to(vae.dtype)
        whole = vae.encode(video).latent_dist
        decoded = vae.decode((latents / vae.config.scaling_factor).transpose(1, 2).to(vae.dtype)).sample.float()
    torch.testing.assert_close(whole.mean.float(), mean, rtol=0, atol=tolerance)
    torch.testing.assert_close(whole.logvar.float(), logvar, rtol=0, atol=tolerance)
    assert decoded.shape == (2, 3, 17, 8, 16)
    whole_pixels = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().permute(0, 2, 3, 4, 1)
    assert (whole_pixels - rebuilt).abs().max() <= (tolerance > 0)  # fp32: a level where it rounds
