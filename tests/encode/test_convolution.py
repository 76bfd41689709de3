"""A small clip's convolutions on a CPU are oneDNN's, with the values of torch's own."""

import copy

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from fca.encode.convolution import OneDNNConvolution
from fca.encode.vae import decode, load_vae, posterior

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")


@pytest.mark.parametrize("settings", [{}, {"stride": 2}, {"padding": (0, 1, 1)}, {"dilation": 2}, {"groups": 2}])
@pytest.mark.parametrize("bias", [True, False])
def test_values_are_those_of_torch(settings, bias):
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(4, 6, 3, bias=bias, **settings).requires_grad_(False)
    video = torch.randn(1, 4, 5, 9, 11)
    expected = copy.deepcopy(layer).double()(video.double())
    with OneDNNConvolution():
        found = layer(video)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_other_inputs_stay_with_torch():
    layer, video = torch.nn.Conv3d(2, 2, 3, padding="same"), torch.randn(1, 2, 4, 5, 6)
    with torch.no_grad(), OneDNNConvolution():
        assert torch.equal(layer(video), layer(video))
        assert layer.double()(video.double()).dtype == torch.float64


def test_no_clip_goes_through_the_slow_loop(project):
    vae = load_vae(project.base, "fp32")
    pixels = torch.randint(0, 256, (1, 16, 16, 24, 3), dtype=torch.uint8)
    with profile(activities=[ProfilerActivity.CPU]) as calls:
        mean, _ = posterior(vae, pixels)
        decode(vae, vae.config.scaling_factor * mean.transpose(1, 2))
    names = {event.key for event in calls.key_averages()}
    assert "aten::mkldnn_convolution" in names
    assert not [name for name in names if "slow_conv3d" in name]


def test_the_order_of_a_clip_in_memory_changes_no_bit():
    """A clip from a picture's bytes has its colours last, one that was decoded has them first."""
    layer, video = torch.nn.Conv3d(64, 64, 3), torch.randn(1, 64, 4, 18, 26)  # with few channels it rounds alike
    with torch.no_grad(), OneDNNConvolution():
        assert torch.equal(layer(video), layer(video.contiguous(memory_format=torch.channels_last_3d)))
