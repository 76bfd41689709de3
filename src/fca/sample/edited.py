"""The step `sample_edited`: predict validation clips from edited captions, as the paper's Figure 11 does."""

from collections.abc import Sequence

import numpy as np

from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard, reused, write_shard
from fca.config import Config, Layout
from fca.errors import FcaError
from fca.sample.prompts import encoded_prompts
from fca.sample.shard import joined, load_networks, model_parent, predict_clips
from fca.seeds import seed_of


def sample_edited(config: Config, dataset: str, variant: str) -> Manifest:
    """Predict the clips of `datasets.D.edited_captions` from each of their edited captions; write one shard.

    A clip starts from the same initial frames and noise as its prediction from its own caption, so only the text
    differs. Rows are called ID/1, ID/2, ... A quarantined clip has its quarantine row and no prediction.

    Raises:
        FcaError: there is nothing to predict, or an id is no validation clip's. No network is loaded before.
    """
    layout, edits = Layout(config), config.datasets[dataset].edited_captions
    if "edited" not in layout.sample_kinds(dataset, variant):
        raise FcaError(
            f"the variant {variant} has no edited captions to predict from on {dataset}",
            "a trained variant that is no ablation, and datasets.NAME.edited_captions",
        )

    # Find the shards that hold the clips.
    base = config.variant(variant).base
    paths = [layout.latents(dataset, "validation", shard, base) for shard in layout.shards(dataset, "validation")]
    manifests = {path: Manifest.read(layout.manifest(path)) for path in paths}
    quarantine = _known(dataset, list(edits), list(manifests.values()))
    chosen = {path: [id for id in edits if id in set(manifest.ids)] for path, manifest in manifests.items()}
    chosen = {path: ids for path, ids in chosen.items() if ids}
    parents = {path.relative_to(layout.root).as_posix(): manifests[path].sha256 for path in chosen}
    parents |= model_parent(layout, dataset, variant)
    target, made = layout.samples(dataset, variant, "edited", 0), made_by(config, "sample_edited", dataset, variant)
    if found := reused(target, "samples", parents, made, quarantine):
        return found

    # Encode the captions before the networks that predict are loaded.
    captions = [caption for ids in chosen.values() for id in ids for caption in edits[id]]
    prompts, empty = encoded_prompts(config, variant, captions)
    networks = load_networks(config, dataset, variant)

    names: list[str] = []
    frames, seeds = [], []
    for path, ids in chosen.items():
        repeated = [id for id in ids for _ in edits[id]]
        with Shard(path, kind="latents") as source:
            rows = [source.ids.index(id) for id in repeated]
            own = prompts.rows(slice(len(names), len(names) + len(rows)))
            title = f"sample {dataset} {variant} edited, of {path.stem}"
            frames.append(predict_clips(config.of(variant), dataset, networks, source, rows, own, empty, title))
        names += [f"{id}/{number}" for id in ids for number in range(1, 1 + len(edits[id]))]
        seeds += [seed_of(config.seed, "sample", dataset, id) for id in repeated]
    return write_shard(
        target,
        "samples",
        {"frames": joined(config, frames), "caption": captions, "seed": np.array(seeds, dtype=np.int64)},
        names,
        parents=parents,
        made_by=made,
        quarantine=quarantine,
    )


def _known(dataset: str, ids: Sequence[str], manifests: Sequence[Manifest]) -> list[Quarantine]:
    """The quarantine rows of these clips; `FcaError` if an id is neither a clip's nor quarantined."""
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
