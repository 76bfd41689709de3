"""All six dimensions with small random networks: the adapter's numbers and those of the package's own `compute_...`.

    .venv-vbench/bin/python -P tests/vbench/compare.py official.py folder

A script of VBench's environment, run by test_official.py. `folder/request.json` has the clips; weights are made here.
"""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

HUB_FILE = """
import torch
from dino import dino
dependencies = ["torch"]

def dino_vitb16(path, read_frame):
    return dino(torch.load(path, weights_only=True))
"""


def main(script: str, folder: Path) -> None:
    spec = importlib.util.spec_from_file_location("official", script)
    official = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(official)
    official.block_network()
    cache = folder / "cache"
    cache.mkdir()
    official.prepare_imports(cache)
    use_small_viclip()
    weights = make_weights(folder)
    request = json.loads((folder / "request.json").read_text())
    request["weights"] = {
        dimension: {"path": str(path), "sha256": official.sha256_of(path)} for dimension, path in weights.items()
    }
    answer = official.score(request)
    again = official.score(request | {"clips": request["clips"][::-1]})
    values = {"adapter": answer, "reversed": again["rows"][::-1], "package": {}, "blocked": blocked()}
    infos = folder / "full_info.json"
    prompts = [
        {"prompt_en": clip["prompt"], "dimension": list(official.LOADERS), "video_list": [clip["path"]]}
        for clip in request["clips"]
    ]
    infos.write_text(json.dumps(prompts))
    for name, (mean, results) in package(official, weights, folder, infos).items():
        values["package"][name] = {"mean": float(mean), "rows": [float(row["video_results"]) for row in results]}
    values["dino"] = dino_difference()
    (folder / "compared.json").write_text(json.dumps(values))


def use_small_viclip() -> None:
    """ViCLIP of two layers: its sizes are written in the package's code, so the code is given smaller ones."""
    from vbench.third_party.ViCLIP import viclip
    from vbench.third_party.ViCLIP.viclip_text import CLIP_TEXT
    from vbench.third_party.ViCLIP.viclip_vision import VisionTransformer

    def vision(num_frames, **_):
        return VisionTransformer(224, 56, 64, 2, 2, 32, num_frames=num_frames).eval()

    def text(context_length, vocab_size, **_):
        return CLIP_TEXT(32, context_length, vocab_size, 64, 2, 2, 0).eval()

    viclip.clip_joint_l14, viclip.clip_text_l14 = vision, text


def make_weights(folder: Path) -> dict[str, Path]:
    """Files as the published ones, with small random networks; MUSIQ and AMT have one size only."""
    import timm
    import torch
    import vbench
    from clip.model import CLIP
    from omegaconf import OmegaConf
    from pyiqa.archs.musiq_arch import MUSIQ
    from vbench.third_party.amt.utils.build_utils import build_from_cfg
    from vbench.third_party.ViCLIP.viclip import ViCLIP

    torch.manual_seed(0)
    files = {
        "background_consistency": folder / "ViT-B-32.pt",
        "imaging_quality": folder / "musiq_spaq_ckpt-358bb6af.pth",
        "motion_smoothness": folder / "amt-s.pth",
        "overall_consistency": folder / "ViClip-InternVid-10M-FLT.pth",
        "subject_consistency": folder / "dino_vitbase16_pretrain.pth",
    }
    example = (torch.zeros(1, 3, 224, 224), torch.zeros(1, 77, dtype=torch.long))
    small_clip = torch.jit.trace(CLIP(64, 224, 2, 64, 32, 77, 49408, 64, 1, 2).eval(), example, check_trace=False)
    small_clip.save(str(files["background_consistency"]))  # a TorchScript archive, as the published file
    musiq = MUSIQ(pretrained=False)
    with torch.no_grad():
        musiq.head.bias.fill_(50.0)
    torch.save(musiq.state_dict(), files["imaging_quality"])
    config = OmegaConf.load(Path(vbench.__file__).parent / "third_party/amt/cfgs/AMT-S.yaml")
    amt = build_from_cfg(config.network).state_dict()
    torch.save({"state_dict": amt, "config": config}, files["motion_smoothness"])  # as the published file
    viclip = ViCLIP(pretrain=None)
    for parameter in viclip.parameters():
        if parameter.ndim > 1:  # some are left as they lay in memory
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save({"model": viclip.state_dict()}, files["overall_consistency"])
    vit = timm.models.vision_transformer.VisionTransformer(embed_dim=64, depth=2, num_heads=1, num_classes=0)
    for parameter in vit.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    torch.save(vit.state_dict(), files["subject_consistency"])
    return files


def package(official, weights: dict[str, Path], folder: Path, infos: Path) -> dict[str, tuple]:
    """What the package's own `compute_...` functions return, each with its own way of loading."""
    import torch
    import vbench

    hub = folder / "hub"
    hub.mkdir()
    (hub / "hubconf.py").write_text(HUB_FILE)
    amt = Path(vbench.__file__).parent / "third_party/amt/cfgs/AMT-S.yaml"
    submodules = {
        "background_consistency": [str(weights["background_consistency"]), False],
        "imaging_quality": {"model_path": str(weights["imaging_quality"])},
        "motion_smoothness": {"config": str(amt), "ckpt": str(weights["motion_smoothness"])},
        "overall_consistency": {"pretrain": str(weights["overall_consistency"])},
        "subject_consistency": {
            "repo_or_dir": str(hub),
            "source": "local",
            "model": "dino_vitb16",
            "path": str(weights["subject_consistency"]),
            "read_frame": False,
        },
        "temporal_flickering": [],
    }
    found = {}
    for name, given in submodules.items():
        compute = getattr(importlib.import_module(f"vbench.{name}"), f"compute_{name}")
        with official.unpickling(), torch.no_grad():
            found[name] = compute(str(infos), torch.device("cpu"), given)
    return found


def dino_difference() -> dict[str, float]:
    """Largest difference of `dino()` from DINO's forward pass written out, for square and for wide pictures."""
    import torch
    from dino import dino
    from torch.nn import functional as F

    width, depth, heads = 128, 3, 2
    torch.manual_seed(0)
    shapes = {
        "cls_token": (1, 1, width), "pos_embed": (1, 197, width),
        "patch_embed.proj.weight": (width, 3, 16, 16), "patch_embed.proj.bias": (width,),
        "norm.weight": (width,), "norm.bias": (width,),
    }  # fmt: skip
    for layer in range(depth):
        for name, rows, columns in (("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4)):
            shapes[f"blocks.{layer}.{name}.weight"] = (rows * width, columns * width)
            shapes[f"blocks.{layer}.{name}.bias"] = (rows * width,)
        for name in ("norm1", "norm2"):
            shapes |= {f"blocks.{layer}.{name}.{kind}": (width,) for kind in ("weight", "bias")}
    state = {name: 0.2 * torch.randn(shape) for name, shape in shapes.items()}

    def written_out(x: torch.Tensor) -> torch.Tensor:
        rows, columns = x.shape[2] // 16, x.shape[3] // 16
        x = F.conv2d(x, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=16)
        x = torch.cat([state["cls_token"], x.flatten(2).transpose(1, 2)], dim=1)
        table = state["pos_embed"][:, 1:]
        if (rows, columns) != (14, 14):
            table = table.reshape(1, 14, 14, width).permute(0, 3, 1, 2)
            factors = ((rows + 0.1) / 14, (columns + 0.1) / 14)
            table = F.interpolate(table, scale_factor=factors, mode="bicubic")
            assert table.shape[2:] == (rows, columns)
            table = table.permute(0, 2, 3, 1).reshape(1, -1, width)
        x = x + torch.cat([state["pos_embed"][:, :1], table], dim=1)
        norm = partial(F.layer_norm, normalized_shape=(width,), eps=1e-6)
        for layer in range(depth):
            own = {name.removeprefix(f"blocks.{layer}."): value for name, value in state.items()}
            y = norm(x, weight=own["norm1.weight"], bias=own["norm1.bias"])
            q, k, v = F.linear(y, own["attn.qkv.weight"], own["attn.qkv.bias"]).chunk(3, dim=-1)
            q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
            y = ((q @ k.transpose(-2, -1)) * (width // heads) ** -0.5).softmax(-1) @ v
            x = x + F.linear(y.transpose(1, 2).flatten(2), own["attn.proj.weight"], own["attn.proj.bias"])
            y = norm(x, weight=own["norm2.weight"], bias=own["norm2.bias"])
            y = F.gelu(F.linear(y, own["mlp.fc1.weight"], own["mlp.fc1.bias"]))
            x = x + F.linear(y, own["mlp.fc2.weight"], own["mlp.fc2.bias"])
        return norm(x, weight=state["norm.weight"], bias=state["norm.bias"])[:, 0]

    model, found = dino(state), {}
    for height, wide in ((224, 224), (224, 336), (298, 224)):
        pixels = torch.randn(1, 3, height, wide)
        with torch.no_grad():
            found[f"{height}x{wide}"] = float((model(pixels) - written_out(pixels)).abs().max())
    return found


def blocked() -> list[str]:
    """Ways out of the process that are shut."""

    def shut(action) -> bool:
        try:
            action()
        except RuntimeError as error:
            return "may not use the network" in str(error)
        return False

    return [
        name
        for name, action in {
            "connect": partial(socket.create_connection, ("127.0.0.1", 9)),
            "resolve": partial(socket.getaddrinfo, "localhost", 80),
            "program": partial(subprocess.run, ["true"]),
            "shell": partial(os.system, "true"),
        }.items()
        if shut(action)
    ]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
