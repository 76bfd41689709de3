"""Randomness by name: every draw is a pure function of what it is for, never of what was drawn before it."""

import hashlib

import torch


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed from a list of numbers and names, such as (config.seed, "train", step, clip id)."""
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: int | str) -> torch.Generator:
    """A CPU generator seeded with `seed_of(*parts)`."""
    return torch.Generator().manual_seed(seed_of(*parts))
