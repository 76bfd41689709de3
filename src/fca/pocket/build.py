"""`fca pocket`: train the pocket base again, network by network (about three hours on two cores)."""

import argparse
from pathlib import Path

STEPS = {"features": 1900, "vae": 4500, "base": 4600, "vision": 1500, "adapter": 4400, "image_base": 4000}
PARTS = tuple(STEPS)
FIRST_SEED, FIRST_HELD_OUT_SEED = 1_000_000, 9_000_000


def main(argv: list[str]) -> None:
    """Train the requested parts into `--output`, in the order of their dependencies."""
    parser = argparse.ArgumentParser(prog="fca pocket", description="Train the networks of the pocket scale.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--output", type=Path, default=Path("config/pocket-base"), help="default: %(default)s")
    parser.add_argument("--cache", type=Path, default=Path("data/pocket-corpus"), help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--clips", type=int, default=9000, help="clips to train on (default: %(default)s)")
    parser.add_argument("--held-out", type=int, default=600, help="clips to measure on (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    for part, steps in STEPS.items():
        parser.add_argument(f"--{part.replace('_', '-')}-steps", type=int, default=steps, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    chosen = [part for part in PARTS if not arguments.parts or part in arguments.parts]

    # Imported here because the command line is quick without torch.
    import torch

    from fca.pocket import adapter, base, corpus, features, image_base, vae, vision
    from fca.pocket.card import image_base_folder, write_card

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    root, cache, seed = arguments.output, arguments.cache, arguments.seed
    clips = {
        "train": corpus.make(arguments.clips, FIRST_SEED, cache),
        "held-out": corpus.make(arguments.held_out, FIRST_HELD_OUT_SEED, cache),
    }
    latent_cache = cache / "latents.pt"

    if "features" in chosen:
        features.train(clips["train"], clips["held-out"], root / "features", arguments.features_steps, seed)
    if "vae" in chosen:
        latent_cache.unlink(missing_ok=True)
        vae.train(clips["train"], clips["held-out"], root / "vae", arguments.vae_steps, seed)
    if "base" in chosen:
        base.train(clips["train"], root, latent_cache, arguments.base_steps, seed)
    if "vision" in chosen:
        (cache / "vision.pt").unlink(missing_ok=True)
        vision.train(clips["train"], root, arguments.vision_steps, seed)
    if "adapter" in chosen:
        latents = base.encode_corpus(root, clips["train"], latent_cache)
        adapter.train(clips["train"], latents, root, cache / "vision.pt", arguments.adapter_steps, seed)
    if "image_base" in chosen:
        latents = base.encode_corpus(root, clips["train"], latent_cache)
        image_base.train(clips["train"], latents, root, image_base_folder(root), arguments.image_base_steps, seed)
    write_card(root, len(clips["train"]), len(clips["held-out"]))
