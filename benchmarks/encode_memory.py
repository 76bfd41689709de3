"""Most resident memory of `fca encode` with the published networks' sizes. `python -m benchmarks.encode_memory FOLDER`

The networks are the published ones in size, type and number of files, but hold zeros: their files are holes that take
no disk. `fca encode` runs in a process of its own on one black clip, and the kernel says how much of it was in memory
at most, files that it mapped included. `--source` measures another version of the code. On a CPU without arithmetic in
bf16, convolutions take hours at 720x480: make the clip small, and add the VAE's activations by `fca plan`.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from accelerate import init_empty_weights
from diffusers import AutoencoderKLCogVideoX
from transformers import Blip2Config, Blip2ForImageTextRetrieval, T5Config, T5EncoderModel

from benchmarks.hollow import write_folder
from fca.artifacts.shards import write_shard
from fca.config import Config, Layout, load
from fca.pretrained.published import TEXT_ENCODER

ROOT = Path(__file__).resolve().parents[1]
TOKENIZERS = {"tokenizer": "tokenizer", "vision": "vision"}
"""Folder of the checkpoint -> folder of the pocket's networks whose tokenizer it gets: a small one serves as well."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="an empty folder, on a disk with room for sparse files")
    options.add_argument("--size", type=int, nargs=2, default=(720, 480), metavar=("W", "H"), help="of the clip")
    options.add_argument("--text-tokens", type=int, default=226, help="that T5 reads")
    options.add_argument("--source", type=Path, default=ROOT / "src", help="folder of the package fca")
    options = options.parse_args()

    folder = options.folder.absolute()
    if not (folder / "base").is_dir():
        write_networks(folder / "base")
    shutil.rmtree(folder / "data", ignore_errors=True)
    path = configuration(folder, *options.size, options.text_tokens)

    command = [sys.executable, "-m", "fca.cli", "encode", "-c", str(path), "ssv2", "validation", "--shard", "0"]
    subprocess.run(command, check=True, cwd=folder, env=os.environ | {"PYTHONPATH": str(options.source.absolute())})
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(f"{peak / 1e9:.2f} GB ({peak / 2**30:.2f} GiB) resident at most")


def write_networks(folder: Path) -> None:
    """CogVideoX-2B's VAE and T5 and BLIP-2, as large as published."""
    with init_empty_weights():
        vae = AutoencoderKLCogVideoX()
        text = T5EncoderModel(T5Config(**TEXT_ENCODER))
        blip2 = Blip2ForImageTextRetrieval(Blip2Config())
    write_folder(folder / "vae", dict(vae.config), vae, "diffusion_pytorch_model", 1, "F32")
    write_folder(folder / "text_encoder", text.config.to_dict(), text, "model", 2)
    write_folder(folder / "vision", blip2.config.to_dict(), blip2, "model", 1, "F32")
    (folder / "tokenizer").mkdir()
    for own, shipped in TOKENIZERS.items():
        for path in (ROOT / "config/pocket-base" / shipped).glob("tokenizer*.json"):
            shutil.copy(path, folder / own)


def configuration(folder: Path, width: int, height: int, text_tokens: int) -> Path:
    """The paper's settings for one clip without a caption, which is stored; returns the configuration's file."""
    base = {"model": str(folder / "base"), "vision_model": str(folder / "base/vision"), "text_tokens": text_tokens}
    one = {"train": {"clips": 1}, "validation": {"clips": 1}}
    changes = {"base": base, "clip": {"width": width, "height": height}, "datasets": {"ssv2": one}}
    folders = {"data_dir": str(folder / "data"), "run_dir": str(folder / "runs")}
    config = load(ROOT / "config/paper.yaml", changes | folders)
    path = folder / "one-clip.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    write_clip(config)
    return path


def write_clip(config: Config) -> None:
    """A shard with one black clip."""
    clip = config.clip
    arrays = {
        "frames": np.zeros((1, clip.frames, clip.height, clip.width, 3), np.uint8),
        "caption": [""],
        "padded": np.zeros(1, np.int32),
    }
    path = Layout(config).clips("ssv2", "validation", 0)
    write_shard(path, "clips", arrays, ids=["black"], parents={}, made_by={})


if __name__ == "__main__":
    main()
