"""The step `train`: optimise a variant on cached latents; to resume, run the same command again."""

import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch.utils.data import DataLoader

from fca.artifacts.quarantine import require_usable
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.errors import Interrupted
from fca.runs.folder import LOG, SKIPPED, JsonLines, Record
from fca.runs.stop import Stop
from fca.train.checkpoint import Kept, checkpoint_path, load_checkpoint, load_newest, save_checkpoint
from fca.train.data import LatentClips, StepOrder, data_loader
from fca.train.export import export
from fca.train.finite import diagnose, json_number, not_finite
from fca.train.objective import Batch
from fca.train.progress import Progress, Smoothed, peak_memory_gib, say
from fca.train.run import check_identity, opened, run_folder
from fca.train.trainer import Outcome, Trainer, new_accelerator


def train(config: Config, dataset: str, variant: str, stop: Stop | None = None, accept_changes: bool = False) -> None:
    """Train to `train_steps` and export what was trained; an interrupted run goes on from its newest checkpoint.

    Args:
        stop: asked after every step whether to save and end.
        accept_changes: go on with an unfinished run although settings, code or data have changed since it began.

    Raises:
        Interrupted: `stop` said so; everything is saved.
        FcaError: no clip to train on, an unfinished run of something else, steps that are not finite, a full disk,
            damaged data.
    """
    layout, settings = Layout(config), config.train
    accelerator = new_accelerator(config, str(run_folder(config, dataset, variant)))
    base = config.variant(variant).base
    latents = [layout.latents(dataset, "train", shard, base) for shard in layout.shards(dataset, "train")]
    clips = LatentClips(latents, config.seed)
    require_usable(dataset, "train", len(clips), (row for shard in clips.shards for row in shard.manifest.quarantine))
    # now: should they be made again in the days of training, the manifest still names what was trained on
    parents = {str(path.relative_to(layout.root)): Shard(path).manifest.sha256 for path in latents}
    stop = stop or Stop()
    stop.limit(settings.hours, settings.margin_minutes)
    with ExitStack() as stack:
        run: Run | None = None
        if accelerator.is_main_process:
            run = Run(*stack.enter_context(opened(config, dataset, variant, accept_changes)), config)
        trainer = Trainer(config, dataset, variant, clips.shards[0]["vision"].shape[-1], accelerator)
        first = _resume(trainer, run)
        _steps(config, dataset, variant, trainer, clips, run, range(first, config.train_steps(dataset, variant)), stop)
        accelerator.wait_for_everyone()
        if run is not None:
            export(config, dataset, variant, trainer.denoiser, parents, run.summary())
    accelerator.end_training()


class Run:
    """What the main process knows of a run beside the networks: its folder, log, time and smoothed loss."""

    def __init__(self, folder: Path, record: Record, config: Config) -> None:
        settings = config.train
        self.folder, self.record, self.config = folder, record, config
        self.kept = Kept(settings.keep_checkpoints, settings.keep_every_hours, settings.keep_best)
        self.state = load_newest(folder)
        state = self.state or {"step": 0, "log": [], "skipped": [], "seconds": 0.0, "smoothed": None, "counted": 0}
        if self.state is not None:
            check_identity(checkpoint_path(folder, state["step"]), state, record)
        self.first = int(state["step"])
        self.log = JsonLines(folder / LOG, state["log"])
        self.skipped = JsonLines(folder / SKIPPED, state["skipped"])
        self.smoothed = Smoothed(state["smoothed"], state["counted"])
        self._started = time.monotonic() - float(state["seconds"])
        self._tick = time.monotonic(), self.first

    @property
    def seconds(self) -> float:
        """Time trained, over all interruptions."""
        return time.monotonic() - self._started

    def save(self, trainer: Trainer, done: int) -> None:
        """Write a checkpoint."""
        state = trainer.state() | {
            "step": done,
            "seconds": self.seconds,
            "smoothed": self.smoothed.value,
            "counted": self.smoothed.count,
            "log": self.log.entries,
            "skipped": self.skipped.entries,
            "identity": self.record.identity,
        }
        save_checkpoint(self.folder, state, self.kept)

    def note(self, done: int, outcome: Outcome, accelerator: Accelerator) -> None:
        """A line of the log, also for the trackers."""
        now = time.monotonic()
        seconds = (now - self._tick[0]) / (done - self._tick[1])
        self._tick = now, done
        entry = {
            "step": done,
            "loss": outcome.loss,
            "learning_rate": outcome.rate,
            "grad_norm": outcome.norm,
            "seconds_per_step": round(seconds, 4),
            "samples_per_second": round(self.config.train.clips_per_step / seconds, 3),
            "peak_memory_gib": peak_memory_gib(accelerator.device),
            "time": round(time.time(), 1),
        }
        self.log.append(entry)
        accelerator.log(entry, step=done)

    def summary(self) -> dict[str, Any]:
        """For the model's manifest."""
        settings = self.config.train
        return {
            "seconds": round(self.seconds, 1),
            "log": self.log.entries,
            "skipped_steps": [entry["step"] for entry in self.skipped.entries],
            "changes": [{"step": change["step"], "keys": change["keys"]} for change in self.record.changes],
            "clips_per_step": {
                "batch_size": settings.batch_size,
                "processes": settings.processes,
                "gradient_accumulation": settings.gradient_accumulation,
            },
        }


def _resume(trainer: Trainer, run: Run | None) -> int:
    """Load the newest checkpoint, which the main process has chosen, in all processes; return its step."""
    chosen: list[Any] = [None if run is None else (run.first, str(run.folder))]
    broadcast_object_list(chosen)
    first, folder = chosen[0]
    if first:
        path = checkpoint_path(Path(folder), first)
        state = run.state if run is not None and run.state is not None else load_checkpoint(path)
        trainer.load(state)
    if run is not None:
        run.state = None  # 10 GB at full size
        if first:
            say(f"resuming {folder} at step {first} of {run.record.steps}")
    return first


def _steps(
    config: Config,
    dataset: str,
    variant: str,
    trainer: Trainer,
    clips: LatentClips,
    run: Run | None,
    steps: range,
    stop: Stop,
) -> None:
    """Do the optimizer steps of a range, with log and checkpoints."""
    settings, accelerator = config.train, trainer.accelerator
    order = StepOrder(
        len(clips),
        config.seed,
        settings.batch_size,
        settings.gradient_accumulation,
        steps,
        accelerator.process_index,
        accelerator.num_processes,
    )
    loader = data_loader(clips, order, settings.loader_workers, pin_memory=accelerator.device.type == "cuda")
    passes = _batches(loader, accelerator)
    if settings.trackers:
        # what was logged after the checkpoint, before a kill, is taken back
        accelerator.init_trackers("tracked", init_kwargs={"tensorboard": {"purge_step": steps.start + 1}})
    progress = Progress(f"train {dataset} {variant}", steps.start, steps.stop, shown=run is not None)
    in_a_row = _in_a_row(run, steps.start)
    for step in steps:
        outcome = trainer.step(passes, stop.reason is not None)
        done = step + 1
        if outcome.finite:
            trainer.apply()
            in_a_row = 0
            if run is not None:
                run.smoothed.add(outcome.loss)
        else:
            in_a_row += 1
            if run is not None:
                entry = {"step": done, "loss": json_number(outcome.loss), "grad_norm": json_number(outcome.norm)}
                entry |= {"learning_rate": outcome.rate} | diagnose(trainer.trained, clips, order.places(step))
                run.skipped.append(entry)
                say(f"step {done} is skipped: its loss or gradient is not finite; see {run.skipped.path}")
                if in_a_row >= settings.max_skipped or len(run.skipped.entries) == steps.stop:
                    raise not_finite(run.skipped.entries[-in_a_row:], str(run.skipped.path))
            trainer.skip()
        progress.step(done)
        end = done == steps.stop
        if run is not None and outcome.finite and (done % settings.log_every == 0 or end):
            run.note(done, outcome, accelerator)
            progress.note(done, outcome.loss, outcome.rate)
        if run is not None and (done % settings.checkpoint_every == 0 or end or outcome.stop):
            run.save(trainer, done)
        if outcome.stop and not end:
            progress.close()
            passes.close()  # ends the loader's workers
            accelerator.wait_for_everyone()  # nobody leaves before the checkpoint is written
            accelerator.end_training()
            raise Interrupted(
                f"stopped after step {done} of {steps.stop}: {stop.reason or 'another process was asked to'}",
                remedy="everything is saved: run the same command again to go on",
            )
    progress.close()
    passes.close()


def _in_a_row(run: Run | None, first: int) -> int:
    """Steps just before `first` that were skipped one after the other."""
    skipped = {entry["step"] for entry in run.skipped.entries} if run is not None else set()
    count = 0
    while first - count in skipped:
        count += 1
    return count


def _batches(loader: DataLoader, accelerator: Accelerator) -> Generator[Batch, None, None]:
    for batch in loader:
        yield {name: tensor.to(accelerator.device, non_blocking=True) for name, tensor in batch.items()}
