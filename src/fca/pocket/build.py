"""`fca pocket`: train the pocket base again, network by network (about four hours on two cores)."""

from collections.abc import Collection, Mapping
from pathlib import Path

STEPS = {
    "features": 2600, "positions": 2500, "vae": 3600, "base": 3000, "vision": 1200, "adapter": 9400, "image_base": 3000,
}  # fmt: skip
PARTS = tuple(STEPS)


def build(
    parts: Collection[str], output: Path, cache: Path, seed: int, threads: int | None, steps: Mapping[str, int]
) -> None:
    """Train the requested parts into `output`, in the order of their dependencies, with the clips in `cache`.

    `threads`: of the CPU, None: chosen by torch.
    """
    # Imported here because the command line is quick without torch.
    import torch

    from fca.pocket import adapter, base, corpus, features, image_base, positions, vae, vision
    from fca.pocket.card import image_base_folder, write_card

    if threads:
        torch.set_num_threads(threads)
    made, unseen = corpus.read(cache, held_out=False), corpus.read(cache, held_out=True)
    latent_cache = cache / "latents.pt"

    if "features" in parts:
        features.train(made, unseen, output / "features", steps["features"], seed)
    if "positions" in parts:
        known, new = (positions.Clips.of_records(clips.pixels, clips.records) for clips in (made, unseen))
        positions.train(known, new, output / "positions", steps["positions"], seed)
    if "vae" in parts:
        latent_cache.unlink(missing_ok=True)
        vae.train(made, unseen, output / "vae", steps["vae"], seed)
    if "base" in parts:
        base.train(made, output, latent_cache, steps["base"], seed)
    if "vision" in parts:
        (cache / "vision.pt").unlink(missing_ok=True)
        vision.train(made, output, steps["vision"], seed)
    if "adapter" in parts:
        latents = base.encode_corpus(output, made, latent_cache)
        adapter.train(made, latents, output, cache / "vision.pt", steps["adapter"], seed)
    if "image_base" in parts:
        latents = base.encode_corpus(output, made, latent_cache)
        image_base.train(made, latents, output, image_base_folder(output), steps["image_base"], seed)
    write_card(output, len(made), len(unseen), len(set(made.tasks)))
