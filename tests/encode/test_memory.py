"""What `fca encode` holds at a time: one network, and no more than `fca plan` counts."""

import weakref
from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import T5Config, T5EncoderModel

from fca.encode import captions, shard
from fca.encode.blip2 import Blip2Folder
from fca.plan.frozen import image_encoder, text_encoder, vae_encoding
from fca.plan.networks import networks
from fca.plan.work import encoding
from fca.pretrained.load import vision_folder
from tests.plan.allocator import allocated


def test_each_network_is_gone_before_the_next_is_loaded(project, monkeypatch):
    """By reference counts alone: Python's collector of cycles may come much later."""
    loaded: dict[str, weakref.ref[nn.Module]] = {}

    def watch(place: object, name: str) -> None:
        load = getattr(place, name)

        def watched(*args: object, **kwargs: object) -> nn.Module:
            assert [kind for kind, network in loaded.items() if network() is not None] == []
            network = load(*args, **kwargs)
            loaded[type(network).__name__] = weakref.ref(network)
            return network

        monkeypatch.setattr(place, name, watched)

    watch(shard, "load_vae")
    watch(Blip2Folder, "image_encoder")
    watch(captions, "load_pretrained")
    shard.encode(project, "ssv2", "validation", 0)
    assert list(loaded) == ["AutoencoderKLCogVideoX", "Blip2VisionModel", "T5EncoderModel"]


def t5(width: int) -> T5EncoderModel:
    with torch.device("meta"):
        return T5EncoderModel(
            T5Config(d_model=width, d_kv=64, d_ff=4 * width, num_layers=2, num_heads=8, vocab_size=99)
        )


def test_the_largest_network_decides_the_planned_peak(project):
    """The VAE with its activations, or T5 if that is larger; never their sum."""
    own = networks(project.base)
    frames = project.clip.frames, 2
    vae = vae_encoding(project, own, frames, torch.float32)
    assert vae.weights < vae.peak
    assert encoding(project, own, 2).peak == vae.peak
    large = replace(own, text=t5(1024))
    text = text_encoder(large, torch.float32)
    assert text.peak > vae.peak
    assert encoding(project, large, 2).peak == text.peak


def test_counted_activations_are_the_allocators(project):
    """Of the ViT on a batch and of T5 on a caption; of the VAE, tests/plan/test_count.py.

    In float32: for bfloat16, kernels of some processors take buffers of their own.
    """
    own = networks(project.base)
    vision = Blip2Folder(vision_folder(project.base)).image_encoder(torch.float32)
    text = captions.TextNetworks.load(project.base, "fp32").text_encoder
    pictures = torch.zeros(4, 3, *[vision.config.image_size] * 2, dtype=torch.float32)
    caption = torch.zeros(1, project.base.text_tokens, dtype=torch.long)
    with torch.no_grad():
        measured = allocated(lambda: vision(pictures)), allocated(lambda: text(caption))
    # the inputs were there before
    counted = (
        image_encoder(own, 4, torch.float32).activations - pictures.nbytes,
        (text_encoder(own, torch.float32).activations - caption.nbytes),
    )
    assert counted == pytest.approx(measured, rel=0.1)
