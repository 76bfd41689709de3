"""The step `sample_edited`: predict validation clips from edited captions, as the paper's Figure 11 does."""

from collections.abc import Sequence

import numpy as np
import torch

from fca.artifacts.manifest import Manifest, made_by
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard, write_shard
from fca.config import Base, Config, Layout
from fca.encode.networks import Encoders
from fca.encode.shard import NO_CAPTION, half
from fca.errors import FcaError
from fca.model import Prompt
from fca.pretrained.load import device
from fca.sample.shard import joined, load_networks, model_parent, predict_clips, take
from fca.seeds import seed_of


def sample_edited(config: Config, dataset: str, variant: str) -> Manifest:
    """Predict the clips of `datasets.D.edited_captions` from each of their edited captions; write one shard.

    A clip starts from the same initial frames and the same noise as its prediction from its own caption, so the text
    alone differs. Rows are called ID/1, ID/2, ... A quarantined clip has its quarantine row and no prediction.

    Raises:
        FcaError: nothing to predict, or an id that is no validation clip's (before any network is loaded).
    """
    layout, asked = Layout(config), config.datasets[dataset].edited_captions
    if "edited" not in layout.sample_kinds(dataset, variant):
        raise FcaError(
            f"the variant {variant} has no edited captions to predict from on {dataset}",
            "a trained variant that is no ablation, and datasets.NAME.edited_captions",
        )
    paths = [
        layout.latents(dataset, "validation", shard, config.variant(variant).base)
        for shard in layout.shards(dataset, "validation")
    ]
    manifests = {path: Manifest.read(layout.manifest(path)) for path in paths}
    quarantine = _known(dataset, list(asked), list(manifests.values()))
    chosen = {path: [id for id in asked if id in set(manifest.ids)] for path, manifest in manifests.items()}
    chosen = {path: ids for path, ids in chosen.items() if ids}
    parents = {path.relative_to(layout.root).as_posix(): manifests[path].sha256 for path in chosen}
    parents |= model_parent(layout, dataset, variant)
    captions = [caption for ids in chosen.values() for id in ids for caption in asked[id]]
    prompts = _prompts(config, config.base_of(variant), [NO_CAPTION, *captions])  # its T5 is gone before the next loads
    networks = load_networks(config, dataset, variant)
    empty = take(prompts, np.zeros(1, dtype=np.int64))
    names: list[str] = []
    frames, seeds = [], []
    for path, ids in chosen.items():
        repeated = [id for id in ids for _ in asked[id]]
        with Shard(path, kind="latents") as source:
            rows = [source.ids.index(id) for id in repeated]
            own = take(prompts, 1 + len(names) + np.arange(len(rows)))
            title = f"sample {dataset} {variant} edited, of {path.stem}"
            frames.append(predict_clips(config, dataset, networks, source, rows, own, empty, title))
        names += [f"{id}/{number}" for id in ids for number in range(1, 1 + len(asked[id]))]
        seeds += [seed_of(config.seed, "sample", dataset, id) for id in repeated]
    return write_shard(
        layout.samples(dataset, variant, "edited", 0),
        "samples",
        {"frames": joined(config, frames), "caption": captions, "seed": np.array(seeds, dtype=np.int64)},
        names,
        parents=parents,
        made_by=made_by(config, "sample_edited", dataset, variant),
        quarantine=quarantine,
    )


def _known(dataset: str, ids: Sequence[str], manifests: Sequence[Manifest]) -> list[Quarantine]:
    """The quarantine rows of these clips; `FcaError` for an id that is neither a clip nor quarantined."""
    known = [id for manifest in manifests for id in manifest.ids]
    rows = [row for manifest in manifests for row in manifest.quarantine if row.split == "validation"]
    unknown = sorted(set(ids) - set(known) - {row.id for row in rows})
    if unknown:
        raise FcaError(
            f"datasets.{dataset}.edited_captions: {', '.join(map(repr, unknown))} "
            f"{'is no validation clip' if len(unknown) == 1 else 'are no validation clips'} in use",
            f"ids of the {len(known)} that are, such as {', '.join(map(repr, known[:3]))}",
            f"take ids from index.jsonl, among the first datasets.{dataset}.validation.clips of its validation clips",
        )
    return sorted({row for row in rows if row.id in ids}, key=lambda row: (row.id, row.step, row.file, row.reason))


def _prompts(config: Config, base: Base, captions: list[str]) -> Prompt:
    """Captions through the text networks as `fca encode` does it, rounding included, so that a clip's own caption
    among them gives the very prediction of its validation sample.
    """
    encoders, size, place = Encoders(base, config.encode.precision), config.encode.batch_size, device()
    text_embeds, text_mask = encoders.blip2.text_embeddings(captions, encoders.caption_tokens)
    embeds = torch.cat([encoders.prompt(captions[row : row + size]) for row in range(0, len(captions), size)])
    return Prompt(
        torch.from_numpy(half("prompt_embeds", embeds)).float().to(place),
        torch.from_numpy(half("text_embeds", text_embeds)).float().to(place),
        text_mask.to(place),
    )
