"""Build a study: choose clips, hide which model made them, and write a self-contained page and its key."""

import base64
import hashlib
import tempfile
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fca.artifacts.atomic import write_text
from fca.artifacts.text import sha256, shuffled
from fca.config import Config
from fca.errors import FcaError, require_known
from fca.report.render import render
from fca.score.pairs import Pairs, with_initial_frames
from fca.study.files import KEY_NAME, Item, Key, StudyClip
from fca.video.write import FRAMES_PER_SECOND, is_lossless, tiled, write_mp4, write_picture

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("sha256.js", "order.js", "player.js", "study.js")
CRF = 14  # of MP4s of clips too large for a lossless sheet; H.264, since every phone plays it
MIME = {"sheet": "image/webp", "mp4": "video/mp4"}
NAME_LENGTH = 12  # hexadecimal digits of an item's or a clip's opaque name


def build(
    config: Config, datasets: Sequence[str], variants: Sequence[str], clips: int, seed: int, out: Path
) -> tuple[Path, Path]:
    """Write `out/page/index.html` for participants and `out/study-key.json`, which they don't get; return both.

    `clips` clips of each dataset are drawn by `seed` from those that every variant predicted. As in section C.2 the
    initial frames of a prediction are replaced by the ground truth, which is shown as reference. The same samples and
    arguments give the same bytes.

    Raises:
        FcaError: the configuration lacks a name, there are too few clips, a shard is missing or damaged, or `out`
            contains another study, whose key would be lost.
    """
    _check_names("dataset", datasets, list(config.datasets))
    _check_names("variant", variants, list(config.every_variant))
    pairs = {(name, variant): Pairs(config, name, variant, "validation") for name in datasets for variant in variants}
    chosen = {name: _choose([pairs[name, variant].ids for variant in variants], name, clips, seed) for name in datasets}
    kind = "sheet" if is_lossless(config.clip.frames, config.clip.height, config.clip.width) else "mp4"

    # Every chosen clip with its ground truth and one item for each variant, all under opaque names.
    shown: dict[tuple[str, str], dict[str, Any]] = {}
    known: dict[str, StudyClip] = {}
    items: dict[str, Item] = {}
    for (dataset, variant), paired in tqdm(pairs.items(), desc="clips of", unit="variant"):
        for batch in paired.batches(1, chosen[dataset]):
            clip_id, caption, truth = batch.ids[0], batch.captions[0], batch.truth
            if (dataset, clip_id) not in shown:
                name = _opaque(seed, dataset, clip_id)
                media = _encoded(truth[0], kind)
                facts = {"id": name, "caption": caption, "initial": paired.initial_frames, "truth": _uri(media, kind)}
                shown[dataset, clip_id] = facts | {"items": []}
                known[name] = StudyClip(dataset=dataset, clip=clip_id, caption=caption)
            clip = shown[dataset, clip_id]
            media = _encoded(with_initial_frames(batch.prediction, truth, paired.initial_frames)[0], kind)
            name = _opaque(seed, dataset, clip_id, variant)
            clip["items"].append({"id": name, "media": _uri(media, kind)})
            items[name] = Item(clip=clip["id"], variant=variant, media=hashlib.sha256(media).hexdigest())

    key = Key.make(
        seed=seed,
        order_seed=sha256(f"order|{seed}")[:32],
        nonce=sha256(f"nonce|{seed}|{'|'.join(sorted(items))}")[:32],
        scale=config.scale,
        media=kind,
        initial_frames={name: config.datasets[name].initial_frames for name in datasets},
        variants={name: config.variant(name).title for name in variants},
        clips=dict(sorted(known.items())),
        items=dict(sorted(items.items())),
        parents={path: sha for paired in pairs.values() for path, sha in sorted(paired.parents.items())},
    )
    key_path = out / KEY_NAME
    text = render_study(key, list(shown.values()), config)
    _check_free(key_path, key)
    key.write(key_path)
    return write_text(out / "page" / "index.html", text), key_path


def render_study(key: Key, shown: Sequence[dict[str, Any]], config: Config) -> str:
    """The participants' page: clips and items in the order of their opaque names, without a trace of their models.

    A clip has `id`, `caption`, `initial` (number of initial frames), `truth` (media as a data URI) and `items`, each
    with `id` and `media`.
    """
    clip, by_name = config.clip, itemgetter("id")
    data = {
        "study": key.study,
        "seed": key.order_seed,
        "nonce": key.nonce,
        "media": key.media,
        "frames": clip.frames,
        "width": clip.width,
        "height": clip.height,
        "framesPerSecond": FRAMES_PER_SECOND,
        "clips": [one | {"items": sorted(one["items"], key=by_name)} for one in sorted(shown, key=by_name)],
    }
    return render("study.html.j2", ("study.css",), SCRIPTS, TEMPLATES, data=data)


def _check_names(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        require_known(kind, name, known)
    if not names or len(set(names)) < len(names):
        raise FcaError(f"{kind}s: {', '.join(names) or 'none'}", "at least one, each once")


def _choose(predicted: Sequence[Sequence[str]], dataset: str, clips: int, seed: int) -> list[str]:
    """`clips` ids, drawn from those that every variant predicted."""
    common = set(predicted[0]).intersection(*predicted[1:])
    if not 1 <= clips <= len(common):
        raise FcaError(
            f"{clips} clips of {dataset}", f"from 1 to {len(common)}, the clips that every variant predicted"
        )
    return shuffled(common, "choose", seed, dataset, separator="|")[:clips]


def _opaque(*names: object) -> str:
    """A name that is meaningless without the key."""
    return sha256("|".join(["name", *map(str, names)]))[:NAME_LENGTH]


def _encoded(frames: np.ndarray, kind: str) -> bytes:
    """A clip (F, H, W, 3) uint8 as the content of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip.{kind}"
        if kind == "sheet":
            write_picture(tiled(frames), path)
        else:
            write_mp4(frames, path, crf=CRF)
        return path.read_bytes()


def _uri(media: bytes, kind: str) -> str:
    return f"data:{MIME[kind]};base64,{base64.b64encode(media).decode()}"


def _check_free(path: Path, key: Key) -> None:
    """Never overwrite another study's key: without it, existing ratings can't be read."""
    if path.exists() and (other := Key.read(path)) != key:
        raise FcaError(
            f"{path} is the key of another study ({other.study[:12]}...)",
            "a folder without a study",
            "name another folder, or move this one away after scoring its ratings",
        )
