"""What training keeps in memory at the paper's size, by counting, on any machine: `python -m benchmarks.kept_memory`

CogVideoX-2B and the adapter are made of tensors that have a shape and no numbers (torch's fake tensors), and what
autograd keeps of one forward pass is added up, under the rules of a GPU's autocast. It is an estimate: kernels' work
space, temporary tensors and the allocator's rounding are not in it.
"""

import argparse

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.networks import make_clips, make_model, parameters
from fca.plan.memory import activations
from fca.train.memory import checkpoint_layers

GIB = 2**30


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--checkpointed-layers", type=int, nargs="+", default=[30, 20, 10, 0], help="each is counted")
    options.add_argument("--batch-size", type=int, default=1, help="clips in one forward pass")
    chosen = options.parse_args()
    with FakeTensorMode(allow_non_fake_inputs=True):
        config, model = make_model("paper", torch.device("cpu"), torch.float32, torch.bfloat16)
        clips = make_clips(config, chosen.batch_size)
        trained, frozen = parameters(model.adapter), parameters(model.transformer)
        fixed = {
            f"{trained / 1e6:.1f} M trained weights, fp32": 4 * trained,
            "their gradients, fp32": 4 * trained,
            "AdamW's two moments, fp32": 8 * trained,
            "their copies for autocast, bf16": 2 * trained,
            f"{frozen / 1e6:.1f} M frozen weights, bf16": 2 * frozen,
        }
        for name, size in fixed.items():
            print(f"{size / GIB:8.2f} GiB  {name}")
        print(f"{sum(fixed.values()) / GIB:8.2f} GiB  together")
        for layers in chosen.checkpointed_layers:
            checkpoint_layers(model.transformer, layers)
            size = activations(model, clips.initial_frames, clips.prompt, clips.noise, clips.timestep)
            print(f"{size / GIB:8.2f} GiB  activations kept with checkpointed_layers {layers}")


if __name__ == "__main__":
    main()
