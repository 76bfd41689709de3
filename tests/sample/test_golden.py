"""A sampled clip's pixels, frame by frame, from stored latents: DDIM and guidance written out, and the slow model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from torch import Tensor

from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.config import Config, Layout, SampleKind
from fca.model import FCAAdapter
from fca.pretrained.exported import ExportedModel
from fca.sample import FCAPipeline, sample
from fca.seeds import generator
from fca.video.frame_selection import cast, cast_plan
from tests.conftest import encode_stored, small_config, write_clips
from tests.encode.reference import prompt_tokens, text_tokens, vae_pixels, vae_posterior, vision_tokens
from tests.model.reference import moved_adapter, slow_alphas, slow_velocity

SHIPPED = Path(__file__).resolve().parents[2] / "config/pocket-base/adapter"
STEPS, GUIDANCE, SHARD = 2, 3.0, 1
CAPTIONS: dict[SampleKind, list[str]] = {
    "validation": ["look left", "push red block right"],  # of the shard's two clips
    "opposite": ["look right", "push red block left"],
}


@pytest.fixture(scope="module")
def adapter(random_base: Path) -> FCAAdapter:
    return moved_adapter(random_base)


@pytest.fixture(scope="module")
def config(tmp_path_factory, random_base: Path, adapter: FCAAdapter) -> Config:
    """Latents of two clips, and a model that was exported without training."""
    values = small_config(tmp_path_factory.mktemp("golden"), random_base).model_dump(mode="json")
    values["sample"] |= {"steps": STEPS, "guidance_scale": GUIDANCE, "batch_size": 1}
    config = Config.model_validate(values)
    write_clips(config)
    encode_stored(config, "validation", SHARD)
    layout = Layout(config)
    adapter.save_pretrained(layout.model("ssv2", "fca"))
    Manifest("model", 1, [], "0" * 64, {}, {}, []).write(layout.model_manifest("ssv2", "fca"))
    return config


def ddim(velocity_of, noise: Tensor) -> Tensor:
    """x_0 from noise: v gives x_0 and the noise of each step, which make the next one (Song et al. 2021, Eq. 12)."""
    alphas, latents = slow_alphas(), noise.double()
    times = [999 - 1000 * step // STEPS for step in range(STEPS)]
    for time, following in zip(times, [*times[1:], None], strict=True):
        alpha = alphas[time]
        velocity = velocity_of(latents.float(), time).double()
        clean = alpha.sqrt() * latents - (1 - alpha).sqrt() * velocity
        remaining = alpha.sqrt() * velocity + (1 - alpha).sqrt() * latents
        less = torch.ones(()) if following is None else alphas[following]
        latents = less.sqrt() * clean + (1 - less).sqrt() * remaining
    return latents


Text = dict[str, Tensor]


def text_of(folder: Path, caption: str) -> Text:
    """A caption through both text networks."""
    embeds, mask = text_tokens(folder / "vision", caption)
    return {"prompt_embeds": prompt_tokens(folder, caption), "text_embeds": embeds.float(), "text_mask": mask}


@torch.no_grad()
def expected_frames(
    adapter: FCAAdapter,
    folder: Path,
    random: torch.Generator,
    posterior: tuple[Tensor, Tensor],
    vision: Tensor,
    texts: list[Text],
) -> np.ndarray:
    """Levels (F, H, W, 3) from the initial frames' posterior (C, 1, h, w), their ViT tokens, and caption and empty one.

    `random` gives the initial latent, then its noise, then the clip's.
    """
    factor = json.loads((folder / "vae/config.json").read_text())["scaling_factor"]
    mean, logvar = (part.double() for part in posterior)
    initial = factor * (mean + (logvar / 2).exp() * torch.randn(mean.shape, generator=random)).transpose(0, 1)
    initial_noise = torch.randn(initial.shape, generator=random)
    noise = torch.randn((4, *initial.shape[1:]), generator=random)
    alpha = slow_alphas()[1]
    noisy_initial = (alpha.sqrt() * initial + (1 - alpha).sqrt() * initial_noise).float()

    # The frozen copy reads the text of its own branch.
    base = CogVideoXTransformer3DModel.from_pretrained(folder / "transformer").eval()
    branches = [text | {"vision": vision} for text in texts]

    def velocity(latents: Tensor, time: int) -> Tensor:
        own, empty = (slow_velocity(base, adapter, latents, time, noisy_initial, branch) for branch in branches)
        return GUIDANCE * own + (1 - GUIDANCE) * empty  # Eq. 2

    return vae_pixels(AutoencoderKLCogVideoX.from_pretrained(folder / "vae").eval(), ddim(velocity, noise))


@pytest.mark.parametrize("kind", ["validation", "opposite"])
def test_every_frame_of_a_sampled_clip(config, adapter, random_base, kind: SampleKind) -> None:
    sample(config, "ssv2", "fca", kind, SHARD)
    with Shard(Layout(config).samples("ssv2", "fca", kind, SHARD), kind="samples") as shard:
        assert shard.ids == ["clip3", "clip4"]
        assert shard.captions == CAPTIONS[kind]
        found = shard.frames[:].astype(np.int64)
    assert found.shape == (2, 16, 32, 48, 3)
    for row, caption in enumerate(CAPTIONS[kind]):
        with Shard(Layout(config).latents("ssv2", "validation", SHARD)) as shard:
            mean, logvar, vision = (torch.from_numpy(shard[n][row]) for n in ("init_mean", "init_logvar", "vision"))
            random = generator(config.seed, "sample", "ssv2", shard.ids[row])
        texts = [
            {name: value if name == "text_mask" else value.half().float() for name, value in text.items()}
            for text in (text_of(random_base, caption), text_of(random_base, ""))
        ]
        expected = expected_frames(adapter, random_base, random, (mean, logvar), vision.float(), texts)
        for frame in range(16):
            assert np.abs(found[row, frame] - expected[frame]).max() <= 1, (row, frame)
    changes = np.abs(np.diff(found, axis=1)).max((0, 2, 3, 4))
    assert (changes[3:] > 5).all(), "frames that are alike would prove nothing of their order"
    assert np.abs(found[0] - found[1]).max() > 5


def test_every_frame_of_a_prediction_from_two_pictures_and_two_captions(tmp_path, adapter, random_base) -> None:
    """`FCAPipeline` with a negative prompt; large pictures are cast and cropped as a clip of one frame would be."""
    adapter.save_pretrained(tmp_path)
    networks = {"base": str(random_base), "vision_model": str(random_base / "vision")}
    ExportedModel.read(SHIPPED).model_copy(update=networks | {"resize": "crop"}).write(tmp_path)
    pictures = np.random.default_rng(3).integers(0, 256, (2, 96, 240, 3), dtype=np.uint8)
    captions = ("lift blue cup", "look left")
    settings = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "generator": generator(11, "predict")}
    found = FCAPipeline.from_pretrained(tmp_path)(list(pictures), *captions, **settings, output_type="np").frames[0]

    pictures = np.concatenate([cast({0: picture}, cast_plan(1, 1), 96, 64, "crop") for picture in pictures])
    posterior = vae_posterior(AutoencoderKLCogVideoX.from_pretrained(random_base / "vae").eval(), pictures)
    vision, texts = (
        vision_tokens(random_base / "vision", pictures[0]),
        [text_of(random_base, text) for text in captions],
    )
    expected = expected_frames(adapter, random_base, generator(11, "predict"), posterior, vision, texts)
    assert found.shape == expected.shape == (16, 64, 96, 3)
    for frame in range(16):
        assert np.abs((255 * found[frame]).round() - expected[frame]).max() <= 1, frame
