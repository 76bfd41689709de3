"""Seeds by name: a value that never changes, and no two names that share one."""

import hashlib
from itertools import combinations

import torch

from fca.seeds import generator, seed_of


def test_a_seed_is_the_hash_of_its_names_kept_apart() -> None:
    text = b"int:42\0str:train\0int:3\0str:clip_7"
    expected = int(hashlib.sha256(text).hexdigest()[:16], 16) // 2
    assert seed_of(42, "train", 3, "clip_7") == expected < 2**63
    expected_draw = torch.rand(4, generator=torch.Generator().manual_seed(expected))
    assert torch.equal(torch.rand(4, generator=generator(42, "train", 3, "clip_7")), expected_draw)


def test_names_that_look_alike_have_seeds_of_their_own() -> None:
    names = [("a", "bc"), ("ab", "c"), ("abc",), (1, 23), (12, 3), (1, "23"), ("1", 23), (123,)]
    assert all(seed_of(*one) != seed_of(*other) for one, other in combinations(names, 2))
