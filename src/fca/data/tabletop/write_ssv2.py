"""A seeded tabletop corpus on disk in the format of Something-Something V2.

Layout under the root::

    videos/<id>.webm            VP9, 12 frames a second, 240 high, 320 or 426 wide
    annotations/train.json      list of {"id": "<id>", "label", "template", "placeholders": [name]}
    annotations/validation.json the same
    annotations/labels.json     {template without brackets: "<class index>"}
"""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fca.config import Tabletop
from fca.data.tabletop.captions import SSV2_TEMPLATES, caption
from fca.data.tabletop.draw import render
from fca.data.tabletop.sample import even_motions, lengths, sample_scene
from fca.data.tabletop.scene import Scene
from fca.video.write import video_writer

FRAME_RATE = 12
HEIGHT = 240
WIDTHS: tuple[int, ...] = (320, 426)


def _write_webm(path: Path, scene: Scene, frames: int, width: int) -> None:
    options = {"deadline": "realtime", "cpu-used": "8", "crf": "18", "b": "0", "row-mt": "0"}
    with video_writer(path, "libvpx-vp9", options, width, HEIGHT, FRAME_RATE) as put:
        for index in range(frames):
            put(render(scene, index / (frames - 1), width, HEIGHT))


def generate(root: Path, made: Tabletop, seed: int) -> None:
    """Write the clips of both splits under `root`, motions evenly spread; the same arguments give the same bytes.

    A clip of each split has fewer than 16 frames (of two clips or more), and a training clip more than 100 (of eight).
    """
    rng = np.random.default_rng([seed, 1])
    identifiers = [str(number + 1) for number in rng.choice(220847, size=made.train + made.validation, replace=False)]
    root.mkdir(parents=True)
    with tqdm(total=len(identifiers), desc="ssv2", unit="clip") as bar:
        (root / "videos").mkdir()
        (root / "annotations").mkdir()
        for split, count in (("train", made.train), ("validation", made.validation)):
            entries = []
            motions = even_motions(rng, "ssv2", count)
            extremes = (count >= 2, split == "train" and count >= 8)
            for motion, frames in zip(motions, lengths(rng, count, (24, 72), (104, 120), extremes), strict=True):
                identifier = identifiers.pop()
                scene = sample_scene(rng, "ssv2", motion)
                width = WIDTHS[int(rng.integers(len(WIDTHS)))]
                _write_webm(root / "videos" / f"{identifier}.webm", scene, frames, width)
                entries.append({"id": identifier, **caption(scene)})
                bar.update()
            (root / "annotations" / f"{split}.json").write_text(json.dumps(entries, indent=1) + "\n")
        names = sorted(template.replace("[", "").replace("]", "") for template in SSV2_TEMPLATES.values())
        labels = {name: str(index) for index, name in enumerate(names)}
        (root / "annotations" / "labels.json").write_text(json.dumps(labels, indent=1) + "\n")
