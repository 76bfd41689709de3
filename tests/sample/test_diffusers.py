"""Prediction against diffusers' own pipelines: what isn't ours is theirs to the last bit."""

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXImageToVideoPipeline, CogVideoXPipeline
from diffusers import CogVideoXTransformer3DModel as Transformer
from transformers import AutoTokenizer, T5EncoderModel

from fca.encode.convolution import OneDNNConvolution
from fca.encode.vae import decode
from fca.model import FCA, FCAAdapter, InitialFrames, Prompt
from fca.model.image_to_video import ImageToVideo
from fca.pocket.base import build_scheduler
from fca.sample.ddim import predict_latents

STEPS, GUIDANCE, SIZE = 4, 6.0, {"height": 32, "width": 48, "num_frames": 16}


@pytest.fixture(scope="module")
def parts(random_base):
    return {
        "tokenizer": AutoTokenizer.from_pretrained(random_base / "tokenizer"),
        "text_encoder": T5EncoderModel.from_pretrained(random_base / "text_encoder").eval(),
        "vae": AutoencoderKLCogVideoX.from_pretrained(random_base / "vae").eval(),
        "scheduler": build_scheduler(),
    }


def inputs() -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(5)
    shapes = {"prompt": (2, 16, 64), "empty": (2, 16, 64), "noise": (2, 4, 16, 4, 6), "initial": (2, 1, 16, 4, 6)}
    return {name: torch.randn(shape, generator=random) for name, shape in shapes.items()}


def prompts(tensors: dict[str, torch.Tensor]) -> list[Prompt]:
    mask = torch.ones(2, 8, dtype=torch.bool)
    return [Prompt(tensors[name], torch.randn(2, 8, 64), mask) for name in ("prompt", "empty")]


@pytest.mark.parametrize("guidance", [GUIDANCE, 1.0])
def test_with_the_scale_at_zero_prediction_is_diffusers_text_to_video_pipeline_to_the_last_bit(
    random_base, parts, guidance
):
    tensors = inputs()
    transformer = Transformer.from_pretrained(random_base / "transformer").eval()
    theirs = CogVideoXPipeline(**parts, transformer=transformer)
    theirs.set_progress_bar_config(disable=True)
    settings = {
        "prompt_embeds": tensors["prompt"],
        "negative_prompt_embeds": tensors["empty"],
        "num_inference_steps": STEPS,
        "guidance_scale": guidance,
    }
    latents = theirs(**settings, **SIZE, latents=tensors["noise"].clone(), output_type="latent").frames
    parts["vae"].enable_slicing()  # a clip at a time, as ours
    with OneDNNConvolution():  # ours takes it, too; torch's own loop rounds otherwise
        video = theirs(**settings, **SIZE, latents=tensors["noise"].clone(), output_type="np").frames

    ours = Transformer.from_pretrained(random_base / "transformer").eval()
    sizes = {"latent_frames": 4, "queries_per_frame": 16, "text_width": 64, "vision_width": 64}
    adapter = FCAAdapter.for_transformer(ours, conditioning_heads=4, initial_scale=0.0, **sizes)
    model = FCA(ours, adapter, parts["scheduler"].alphas_cumprod, t_ref=1)
    start = InitialFrames(tensors["initial"], torch.randn_like(tensors["initial"]), torch.randn(2, 65, 64))
    prompt, empty = prompts(tensors)
    found = predict_latents(model, build_scheduler(), start, prompt, empty, tensors["noise"], STEPS, guidance)
    assert torch.equal(found, latents)
    pixels = torch.from_numpy(video) * 255
    assert torch.equal(decode(parts["vae"], found), pixels.round().to(torch.uint8))


@pytest.mark.parametrize("version", ["1.0", "1.5"])
def test_image_to_video_is_diffusers_pipeline_to_the_last_bit(parts, version):
    torch.manual_seed(6)
    kind = {"patch_size_t": 2, "patch_bias": False, "ofs_embed_dim": 16} if version == "1.5" else {}
    transformer = Transformer(
        num_attention_heads=2, attention_head_dim=32, in_channels=32, out_channels=16, time_embed_dim=16,
        text_embed_dim=64, num_layers=2, sample_width=6, sample_height=4, max_text_seq_length=16,
        use_rotary_positional_embeddings=True, **kind,
    ).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    parts["vae"].register_to_config(invert_scale_latents=version == "1.5")
    tensors = inputs()
    theirs = CogVideoXImageToVideoPipeline(**parts, transformer=transformer)
    theirs.set_progress_bar_config(disable=True)
    pictures = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(7))
    prepared = theirs.video_processor.preprocess(pictures, height=32, width=48)

    def seeded() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in (8, 9)]

    _, picture_latents = theirs.prepare_latents(
        prepared, 2, 16, 16, 32, 48, torch.float32, torch.device("cpu"), seeded(), tensors["noise"].clone()
    )
    expected = theirs(
        image=pictures,
        prompt_embeds=tensors["prompt"],
        negative_prompt_embeds=tensors["empty"],
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        latents=tensors["noise"].clone(),
        generator=seeded(),
        output_type="latent",
        **SIZE,
    ).frames
    start = InitialFrames(picture_latents[:, :1], torch.zeros(2, 1, 16, 4, 6), torch.zeros(2, 65, 64))
    prompt, empty = prompts(tensors)
    found = predict_latents(
        ImageToVideo(transformer), build_scheduler(), start, prompt, empty, tensors["noise"], STEPS, GUIDANCE
    )
    assert torch.equal(found, expected)
