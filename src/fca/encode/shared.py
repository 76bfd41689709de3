"""Captions that the other base's shard has encoded already: Table 2's bases may have the same T5, 1.85 MB a caption."""

from collections.abc import Sequence
from pathlib import Path

from fca.artifacts.fingerprint.weights import folder_hash
from fca.artifacts.shards import Shard
from fca.config import BaseKind, Config, Layout
from fca.data.clip_source import Clips
from fca.errors import FcaError
from fca.pretrained.load import base_folder, vision_folder


def shard_with_captions(
    config: Config, dataset: str, split: str, number: int, base: BaseKind, source: Clips
) -> Shard | None:
    """The shard of `base` with the same clips, whose captions `image_base` would encode to the same numbers.

    None if there is no such shard, or if the text networks, their tokenizers or the numbers of tokens differ.
    """
    path = Layout(config).latents(dataset, split, number, "text")
    if base == "text" or not path.is_file() or not same_text_networks(config):
        return None
    try:
        found = Shard(path, kind="latents")
    except FcaError:  # damaged, or from an interrupted step
        return None
    return found if found.manifest.parents == source.parents else None


def has_captions(shard: Shard, ids: Sequence[str], captions: Sequence[str]) -> bool:
    """Whether a shard's tables are those of these clips, in this order."""
    return (shard.ids, shard.captions) == (list(ids), list(captions))


def same_text_networks(config: Config) -> bool:
    """Whether both bases read captions by the same files, to as many tokens; of large files samples are compared."""
    text, image = config.base, config.base_called("image")
    if (text.text_tokens, text.caption_tokens) != (image.text_tokens, image.caption_tokens):
        return False
    parts = "text_encoder", "tokenizer"
    mine, other = (_folders(base_folder(each, *parts), parts, vision_folder(each)) for each in (image, text))
    return all(one == two or folder_hash(one) == folder_hash(two) for one, two in zip(mine, other, strict=True))


def _folders(base: Path, parts: Sequence[str], vision: Path) -> list[Path]:
    return [folder.resolve() for folder in (*(base / part for part in parts), vision)]
