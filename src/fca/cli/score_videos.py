"""`fca score-videos`: the scores of two folders of videos, for people without a configuration."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from fca.cli.common import PATH, Command

SHIPPED = Path("config/pocket-base/features")


@click.command(
    name="score-videos", cls=Command, example="fca score-videos --truth clips --predicted predictions --given 1"
)
@click.option("--truth", type=PATH, required=True, metavar="FOLDER", help="Folder of the ground-truth videos.")
@click.option("--predicted", type=PATH, required=True, metavar="FOLDER",
              help="Folder of the predicted videos, with the same names; suffixes may differ.")  # fmt: skip
@click.option("--given", type=click.IntRange(min=0), default=1, metavar="N",
              help="Frames at the start that the model was given: ground truth takes their place for FVD and KVD, and "
                   "PSNR and SSIM leave them out.")  # fmt: skip
@click.option("--frames", type=click.IntRange(min=1), metavar="N",
              help="Score only the first N frames (default: all, and every video has as many).")  # fmt: skip
@click.option("--features", type=PATH, metavar="PATH",
              help="The Kinetics I3D that published FVDs use, i3d_pretrained_400.pt, or the folder of another network "
                   f"(default: {SHIPPED}, which takes 16 frames and is comparable to nothing published).")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with values for each frame and each video.")
def score_videos(
    truth: Path, predicted: Path, given: int, frames: int | None, features: Path | None, as_json: bool
) -> None:
    """Print FVD, KVD, PSNR and SSIM of two folders of videos, with intervals.

    Videos are paired by name. The protocol, which makes two numbers comparable, is printed with them:
    docs/score-videos.md.
    """
    from fca.score.features import load_network
    from fca.score.videos import VideoPairs, comparable, score_videos

    network = load_network(SHIPPED if features is None else features)
    if not comparable(network):
        print(
            f"fca score-videos: FVD and KVD of the network {network.name} can't be compared with any published value; "
            "--features i3d_pretrained_400.pt makes them comparable",
            file=sys.stderr,
        )
    found = score_videos(VideoPairs.of(truth, predicted, frames), given, network)
    print(json.dumps(found, indent=1, ensure_ascii=False) if as_json else _as_text(found))


def _as_text(found: dict[str, Any]) -> str:
    """Scores, what helps to read them, and the protocol, in columns."""
    shared = found["protocol"]
    percent = f"{100 * shared['interval']['confidence']:g} % interval"
    rows = [("score", "value", percent, "small-sample bias")]
    for name, score in found["scores"].items():
        interval = f"{score['low']:.4g} to {score['high']:.4g}"
        rows.append((name, f"{score['value']:.4g}", interval, f"{score['bias']:.3g}" if "bias" in score else ""))
    halves = found["reference"]["fvd_truth_halves"]
    if halves["value"] is not None:
        rows.append((halves["name"], f"{halves['value']:.4g}", "", "between halves of the ground truth"))

    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    flaws = [f"{clip['id']}: predicted frames are {clip['flaw']}" for clip in found["clips"] if clip["flaw"]]
    protocol = [f"  {key}: {_in_words(value)}" for key, value in shared.items()]
    weights = f"  feature network's sha256: {found['feature_network']['sha256']}"
    return "\n".join([*lines, *flaws, "", f"protocol {found['protocol_sha256'][:12]}:", *protocol, weights])


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_in_words(item)}" for key, item in value.items())
    return f"{len(value)} names" if isinstance(value, list) else str(value)
