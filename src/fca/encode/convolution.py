"""3-D convolutions of one small clip on a CPU, by the library that torch uses for every other one."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

CPU_FLOAT32 = (torch.device("cpu"), torch.float32)


class OneDNNConvolution(TorchFunctionMode):
    """Inside the context `torch.conv3d` of float32 on a CPU is oneDNN's, whatever the input's size.

    torch decides between oneDNN and a loop of its own by the product of the first four sizes, (B, C, F, H), and takes
    the loop for one clip of less than 20,480 (`use_mkldnn` in ATen/native/Convolution.cpp). Without the width in that
    product the loop gets the pocket scale's VAE, and needs four to six times as long (benchmarks/convolution.py).
    Values differ by rounding alone. Elsewhere, and without oneDNN, nothing changes.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is torch.conv3d and not kwargs and len(args) == 7 and torch.backends.mkldnn.is_available():
            video, weight, bias, stride, padding, dilation, groups = args
            real = type(video) is torch.Tensor  # not one without values, of which `fca plan` counts the work
            if real and (video.device, video.dtype) == CPU_FLOAT32 and not isinstance(padding, str):
                # oneDNN rounds otherwise for other orders in memory: values alone decide, not where they come from.
                video = video.contiguous()
                return torch.mkldnn_convolution(video, weight, bias, padding, stride, dilation, groups)
        return func(*args, **(kwargs or {}))
