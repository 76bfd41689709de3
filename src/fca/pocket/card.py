"""Write the model card of the pocket base from the records of its trainings."""

import json
from pathlib import Path
from typing import Any

from fca.artifacts.atomic import write_text

TEXT = Path(__file__).with_name("card.md")


def write_card(root: Path, clips: int, held_out: int, tasks: int) -> None:
    """Write `root`/README.md from the `training.json` files below `root`."""
    training = {path.parent.name: json.loads(path.read_text()) for path in sorted(root.glob("*/training.json"))}
    image_base = image_base_folder(root) / "transformer/training.json"
    if image_base.is_file():
        training[IMAGE_BASE] = json.loads(image_base.read_text())

    rows, curves = [], []
    for name, (what, measured) in PARTS.items():
        if name in training:
            found = training[name]
            last = found["curve"][-1]
            values = found | {"loss": last.get("loss"), "top1_percent": 100 * found.get("held_out_top1", 0)}
            values |= {"centimetres": _position_errors(found)}
            numbers = f"{found['parameters']:,} | {last['step']:,} | {found['seed']}"
            rows.append(f"| `{name}/` | {what} | {numbers} | {measured.format(**values)} |")
            if "loss" in last:
                curves.append(f"| {name} | " + " | ".join(_at(found["curve"], share) for share in SHARES) + " |")

    size = sum(path.stat().st_size for path in root.rglob("*.safetensors"))
    text = TEXT.read_text(encoding="utf-8").format(
        mebibytes=size / 2**20,
        clips=clips,
        held_out=held_out,
        tasks=tasks,
        rows="\n".join(rows),
        curves="\n".join(curves),
    )
    write_text(root / "README.md", text)


IMAGE_BASE = "../pocket-image-base/transformer"


def image_base_folder(root: Path) -> Path:
    """The folder of the image-to-video base, next to the pocket base."""
    return root.with_name(root.name.replace("base", "image-base"))


SHARES = (0.02, 0.1, 0.25, 0.5, 0.75, 1.0)
PARTS = {
    "vae": (
        "AutoencoderKLCogVideoX, 16 latent channels",
        "held-out reconstruction {held_out_psnr_db:.1f} dB PSNR, {held_out_ssim:.3f} SSIM",
    ),
    "transformer": (
        "CogVideoXTransformer3DModel, 6 layers of width 160, trained with `text_encoder/` (T5, width 64)",
        "v-prediction loss {loss:.3f}",
    ),
    "vision": ("Blip2VisionModel, 2 layers of width 64, and text embeddings", "(masked patches)"),
    "features": ("I3D of a quarter of the width, trained on the tasks", "held-out top-1 {top1_percent:.1f} %"),
    "positions": (
        "position reader: hand and object in a frame, from where they were in the first",
        "held-out errors of the end by place, hand and object: {centimetres}",
    ),
    "adapter": ("FCA adapter for all three places, from which the demo continues", "v-prediction loss {loss:.3f}"),
    IMAGE_BASE: (
        "transformer like CogVideoX1.5-I2V's, 4 layers of width 160, for Table 2; the other parts are links",
        "v-prediction loss {loss:.3f}",
    ),
}
"""Folder -> what it holds, and what `training.json` says of it, with `loss`, the curve's last, and `top1_percent`."""


def _position_errors(found: dict[str, Any]) -> str:
    """The reader's errors on sharp frames, such as "arm 2.6 and 3.6 cm"; empty for other networks."""
    places = found.get("held_out_error", {}).get("sharp", {})
    return ", ".join(
        f"{place} {errors['effector']['end']:.1f} and {errors['object']['end']:.1f} cm"
        for place, errors in places.items()
    )


def _at(curve: list[dict[str, Any]], share: float) -> str:
    """The mean of the five logged losses nearest to a share of the steps."""
    losses = [tick["loss"] for tick in curve]
    index = min(len(losses) - 1, int(share * len(losses)))
    around = losses[max(0, index - 2) : index + 3]
    return f"{sum(around) / len(around):.3f}"
