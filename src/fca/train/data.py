"""Cached latents for training, with every random draw fixed by (seed, optimizer step, clip)."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fca.artifacts.shards import Shard
from fca.config import Layout
from fca.errors import FcaError, Killed, remake
from fca.model.diffusion import draw_posterior
from fca.runs.stop import leave_signals_to_parent
from fca.seeds import generator, seed_of

Position = tuple[int, int]  # optimizer step, row of the dataset


class LatentClips(Dataset):
    """All clips of several latent shards.

    The item at (step, row) is a dict of `clean` (f, C, h, w) and `initial` (1, C, h, w), samples of
    the two posteriors; `noise` and `initial_noise`, shaped like them; `timestep` (); `prompt_embeds` (l_t, width);
    `text_embeds` (m, width), `text_mask` (m,); `vision` (v, width). All float32 but the timestep and the mask.
    """

    def __init__(self, paths: Sequence[Path], seed: int):
        self.shards = [Shard(path, kind="latents") for path in paths]
        seen: dict[str, Path] = {}
        for shard in self.shards:
            if twice := [name for name in shard.ids if name in seen]:
                both = shard.path, seen[twice[0]]
                raise FcaError(
                    f"{both[0]} and {both[1]} both hold {twice[0]!r}",
                    "each clip in one shard",
                    f"remove both and their manifests, then {remake(*map(Layout.manifest, both))}",
                )
            seen |= dict.fromkeys(shard.ids, shard.path)
        self.seed = seed
        self.rows = [(shard, row) for shard in range(len(self.shards)) for row in range(len(self.shards[shard]))]

    def __len__(self) -> int:
        return len(self.rows)

    def id_of(self, row: int) -> str:
        """The id of the clip in a row."""
        shard, number = self.rows[row]
        return self.shards[shard].ids[number]

    def __getitem__(self, position: Position) -> dict[str, Tensor]:
        step, index = position
        number, row = self.rows[index]
        shard = self.shards[number]
        random = generator(self.seed, "train", step, shard.ids[row])
        scale = shard.meta["scaling_factor"]
        clean = draw_posterior(shard["mean"][row], shard["logvar"][row], random, scale)
        initial_scale = shard.meta["initial_scaling_factor"]
        initial = draw_posterior(shard["init_mean"][row], shard["init_logvar"][row], random, initial_scale)
        caption = int(shard["prompt"][row])
        return {
            "clean": clean,
            "initial": initial,
            "noise": torch.randn(clean.shape, generator=random),
            "initial_noise": torch.randn(initial.shape, generator=random),
            "timestep": torch.randint(1000, (), generator=random),
            "prompt_embeds": torch.from_numpy(shard["prompt_embeds"][caption]).float(),
            "text_embeds": torch.from_numpy(shard["text_embeds"][caption]).float(),
            "text_mask": torch.from_numpy(shard["text_mask"][caption]),
            "vision": torch.from_numpy(shard["vision"][row]).float(),
        }


def data_loader(clips: LatentClips, order: "StepOrder", workers: int = 0, pin_memory: bool = False) -> DataLoader:
    """The batches of `order`; the same ones in the same order for any number of workers.

    A draw is a function of (seed, step, clip), and each worker opens the shards itself, so only finished batches are
    shared. Each worker holds two batches ahead: 17 MB a clip at the paper's size, in shared memory. Workers leave
    signals to the process that trains.
    """
    return DataLoader(
        clips, batch_sampler=order, num_workers=workers, pin_memory=pin_memory, worker_init_fn=leave_signals_to_parent
    )


@contextmanager
def lost_workers_named() -> Iterator[None]:
    """Name a loader's worker that dies. torch says it anywhere in the process that trains, on a SIGCHLD.

    Raises:
        Killed: it was killed (SIGKILL).
        FcaError: another signal ended it.
    """
    try:
        yield
    except RuntimeError as error:
        text = f"{error}\n{error.__cause__}"
        told = re.search(r"DataLoader worker \(pid (\d+)\) is killed by signal: ([\w ]+)", text)
        if told is None:
            raise
        killed = told[2].startswith("Killed")
        raise (Killed if killed else FcaError)(
            f"a process that loads latents ({told[1]}) was killed ({'SIGKILL' if killed else told[2].strip()})",
            "every process to live",
            "fewer of them (train.loader_workers; 0: none), or more memory, that of /dev/shm included; then run the "
            "same command again",
        ) from error


@dataclass(eq=False)
class StepOrder(Sampler[list[Position]]):
    """The forward passes of one process from one optimizer step to another, as lists of (step, row).

    Epochs are permutations drawn from (seed, epoch); an optimizer step takes the next clips of that endless list,
    and its forward passes are dealt to the processes in turn. So a step sees the same clips whatever the number
    of processes, and a resumed run sees the same clips as an uninterrupted one.
    """

    clips: int
    seed: int
    batch_size: int
    accumulation: int
    steps: range
    process: int = 0
    processes: int = 1
    _order: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.int64))
    """The last epoch used and its permutation."""

    def __len__(self) -> int:
        return len(self.steps) * self.accumulation

    def __iter__(self) -> Iterator[list[Position]]:
        per_pass = self.batch_size * self.processes
        for step in self.steps:
            for part in range(self.accumulation):
                first = (step * self.accumulation + part) * per_pass + self.process * self.batch_size
                yield [(step, self._row(number)) for number in range(first, first + self.batch_size)]

    def positions(self, step: int) -> list[Position]:
        """All (step, row) of an optimizer step, of all processes together."""
        clips = self.batch_size * self.processes * self.accumulation
        return [(step, self._row(number)) for number in range(step * clips, (step + 1) * clips)]

    def _row(self, number: int) -> int:
        """The clip with this number in the endless list of epochs."""
        epoch, offset = divmod(number, self.clips)
        if self._order[0] != epoch:
            order = np.random.default_rng(seed_of(self.seed, "epoch", epoch)).permutation(self.clips)
            self._order = (epoch, order)
        return int(self._order[1][offset])
