"""Inception-v1 I3D (Carreira & Zisserman 2017): the network behind FVD and KVD.

Module names, and so the keys of its state dict, are those of the public PyTorch port (piergiaj/pytorch-i3d), as in the
weight file `i3d_pretrained_400.pt` of VideoGPT and Seer, which loads unchanged at width 1 with 400 classes. `width`
multiplies every channel count: the pocket scale's network has a quarter of the channels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Triple = tuple[int, int, int]


def same_padding(size: Triple, kernel: Triple, stride: Triple) -> list[tuple[int, int]]:
    """Zeros before and after each axis for ceil(size / stride) outputs, as in TensorFlow's SAME padding.

    The extra zero of an odd number comes after. Axes are time, height, width.
    """
    totals = (
        max((-(-extent // step) - 1) * step + taps - extent, 0)
        for extent, taps, step in zip(size, kernel, stride, strict=True)
    )
    return [(total // 2, total - total // 2) for total in totals]


def pad_same(video: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """(B, C, T, H, W) padded with zeros for a window of `kernel` and `stride`."""
    time, height, width = same_padding(tuple(video.shape[2:]), kernel, stride)
    padding = (*width, *height, *time)  # torch counts axes from the last
    return F.pad(video, padding) if any(padding) else video


class MaxPool3d(nn.Module):
    """Maximum over a window with SAME padding; inputs come from a ReLU, so zeros never exceed them."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, video: Tensor) -> Tensor:
        return F.max_pool3d(pad_same(video, self.kernel, self.stride), self.kernel, self.stride)


class Unit3D(nn.Module):
    """Convolution with SAME padding, batch normalisation and ReLU: keys `conv3d.weight` and `bn.*`."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv3d = nn.Conv3d(channels_in, channels_out, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(channels_out, eps=1e-5)

    def forward(self, video: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv3d(pad_same(video, self.kernel, self.stride))))


class Mixed(nn.Module):
    """One Inception block: four parallel branches, concatenated along the channels.

    `widths` are the channels of (1x1; 1x1 before 3x3, 3x3; 1x1 before the second 3x3, second 3x3; 1x1 after pooling).
    """

    def __init__(self, channels_in: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.b0 = Unit3D(channels_in, widths[0])
        self.b1a = Unit3D(channels_in, widths[1])
        self.b1b = Unit3D(widths[1], widths[2], kernel=3)
        self.b2a = Unit3D(channels_in, widths[3])
        self.b2b = Unit3D(widths[3], widths[4], kernel=3)
        self.b3a = MaxPool3d((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3D(channels_in, widths[5])

    def forward(self, video: Tensor) -> Tensor:
        branches = (self.b0(video), self.b1b(self.b1a(video)), self.b2b(self.b2a(video)), self.b3b(self.b3a(video)))
        return torch.cat(branches, dim=1)


MIXED: dict[str, tuple[int, int, int, int, int, int]] = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
"""Channel counts of the Inception blocks at width 1 (see `Mixed`)."""

STAGES = ("Conv3d_2c_3x3", "Mixed_3c", "Mixed_4f", "Mixed_5c")
"""The last layer before each spatial reduction, and the last layer of all."""


class InceptionI3d(nn.Module):
    """I3D on RGB videos of any size: (B, 3, T, H, W) in [-1, 1] -> (B, num_classes) logits.

    The pooling before the logits covers the whole picture and two time steps (one if there is only one), and the
    logits are averaged over time: at 16x224x224 this is VideoGPT's fixed (2, 7, 7) window.
    """

    def __init__(self, num_classes: int = 400, width: float = 1.0, dropout: float = 0.5) -> None:
        super().__init__()

        def wide(*channels: int) -> tuple[int, ...]:
            return tuple(max(1, round(count * width)) for count in channels)

        stem, second, third = wide(64, 64, 192)
        self.Conv3d_1a_7x7 = Unit3D(3, stem, kernel=7, stride=2)
        self.MaxPool3d_2a_3x3 = MaxPool3d((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit3D(stem, second)
        self.Conv3d_2c_3x3 = Unit3D(second, third, kernel=3)
        self.MaxPool3d_3a_3x3 = MaxPool3d((1, 3, 3), (1, 2, 2))

        channels = third
        for name, at_full_width in MIXED.items():
            if name == "4b":
                self.MaxPool3d_4a_3x3 = MaxPool3d((3, 3, 3), (2, 2, 2))
            if name == "5b":
                self.MaxPool3d_5a_2x2 = MaxPool3d((2, 2, 2), (2, 2, 2))
            widths = wide(*at_full_width)
            self.add_module(f"Mixed_{name}", Mixed(channels, widths))
            channels = widths[0] + widths[2] + widths[4] + widths[5]

        self.body = tuple(self._modules)  # names in the order they are applied
        self.feature_width = channels
        self.dropout = nn.Dropout(dropout)
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(channels, num_classes, 1)})

    def stages(self, video: Tensor) -> list[Tensor]:
        """(B, 3, T, H, W) in [-1, 1] -> the output (B, C, T', H', W') of each of STAGES."""
        outputs = []
        for name in self.body:
            video = self.get_submodule(name)(video)
            if name in STAGES:
                outputs.append(video)
        return outputs

    def pool(self, last: Tensor) -> Tensor:
        """The last stage's output -> (B, feature_width): the input of the linear classifier."""
        time, height, width = last.shape[2:]
        pooled = F.avg_pool3d(last, (min(2, time), height, width), stride=1)  # (B, feature_width, T'', 1, 1)
        return pooled.mean(dim=(2, 3, 4))

    def features(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W) in [-1, 1] -> (B, feature_width)."""
        return self.pool(self.stages(video)[-1])

    def classify(self, features: Tensor) -> Tensor:
        """(B, feature_width) -> (B, num_classes), by linearity the mean of the logits over time."""
        return self.logits["conv3d"](self.dropout(features)[:, :, None, None, None]).flatten(1)

    def forward(self, video: Tensor) -> Tensor:
        return self.classify(self.features(video))


def stage_means(stages: list[Tensor]) -> Tensor:
    """The stages' outputs (B, C, T, H, W) -> (B, sum of C): each channel's mean over time and picture."""
    return torch.cat([stage.mean(dim=(2, 3, 4)) for stage in stages], dim=1)
