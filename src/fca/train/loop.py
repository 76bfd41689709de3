"""The step `train`: optimise a variant on cached latents; to resume, run the same command again."""

from collections.abc import Generator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch.utils.data import DataLoader

from fca.artifacts.measured import Job, measured
from fca.artifacts.quarantine import require_usable
from fca.config import Config, Layout
from fca.config.names import RunName
from fca.config.rehearsal import is_rehearsal
from fca.errors import Interrupted
from fca.model.build import train_seed
from fca.pretrained.load import release_memory
from fca.runs.stop import Stop
from fca.train.bookkeeping import NullRun, Run
from fca.train.checkpoint import load_checkpoint, load_length, remove_checkpoints
from fca.train.data import LatentClips, StepOrder, data_loader, lost_workers_named
from fca.train.export import export, restore_manifest
from fca.train.finite import diagnose
from fca.train.objective import Batch
from fca.train.run import identity, open_run, run_folder
from fca.train.trainer import Trainer, new_accelerator, restore


def train(config: Config, dataset: str, variant: str, stop: Stop | None = None, accept_changes: bool = False) -> None:
    """Train to `train_steps` and export what was trained; an interrupted run continues from its newest checkpoint.

    Args:
        stop: asked after every step whether to save and end.
        accept_changes: continue an unfinished run although settings, code or data have changed since it began.

    Raises:
        Interrupted: `stop` said so; everything is saved.
        FcaError: no clip to train on, an unfinished run of something else, steps that are not finite, a full disk,
            damaged data.
    """
    # Read once what decides the outcome: files that change during days of training don't change what the model's
    # manifest names.
    layout, base = Layout(config), config.variant(variant).base
    paths = [layout.latents(dataset, "train", shard, base) for shard in layout.shards(dataset, "train")]
    clips = LatentClips(paths, train_seed(config, variant))
    require_usable(dataset, "train", len(clips), (row for shard in clips.shards for row in shard.manifest.quarantine))
    latents = [shard.manifest.sha256 for shard in clips.shards]
    parents = {path.relative_to(layout.root).as_posix(): sha256 for path, sha256 in zip(paths, latents, strict=True)}
    made_from = identity(config, dataset, variant, latents)
    folder = run_folder(config, dataset, variant, made_from)
    names = [*config.lengths(variant), variant]
    if all(restore_manifest(config, dataset, name, parents, folder) for name in names):
        return

    stop = stop or Stop()
    stop.limit(config.train.hours, config.train.margin_minutes)
    accelerator = new_accelerator(config, str(folder))
    with ExitStack() as stack:
        run, work = NullRun(), Job()
        if accelerator.is_main_process:
            work = stack.enter_context(measured(config, "train", dataset, variant))  # before anything is in memory
            opened = stack.enter_context(open_run(config, dataset, variant, made_from, accept_changes))
            run = Run(*opened, config, accelerator)

        trainer = Trainer(config, dataset, variant, clips.shards[0]["vision"].shape[-1], accelerator)
        first = _resume(trainer, run)
        steps = range(first, config.train_steps(dataset, variant))
        with lost_workers_named():
            _steps(config, trainer, clips, run, steps, stop, work)
        work.clips, work.steps = len(steps) * config.train.clips_per_step, len(steps)
        work.processes = accelerator.num_processes
        accelerator.wait_for_everyone()
        if isinstance(run, Run):
            for name in config.lengths(variant):
                state = load_length(folder, RunName.of(name).steps or 0)
                restore(trainer.trained, state["trained"])
                export(config, dataset, name, trainer.denoiser, parents, folder, run.summary(state))
            if config.lengths(variant):
                restore(trainer.trained, load_length(folder, steps.stop)["trained"])
            export(config, dataset, variant, trainer.denoiser, parents, folder, run.summary())
            work.written = sum(file.stat().st_size for file in layout.model(dataset, variant).iterdir())
            if is_rehearsal(config):
                remove_checkpoints(folder)
    accelerator.end_training()


def _resume(trainer: Trainer, run: NullRun) -> int:
    """Load the newest checkpoint, which the main process has chosen, in all processes; return its step."""
    chosen = [run.path]
    broadcast_object_list(chosen)
    if chosen[0] is None:
        return 0
    state = run.state or load_checkpoint(Path(chosen[0]))
    run.state = None
    trainer.load(state)
    step = int(state["step"])
    del state  # 10 GB at full size
    release_memory()
    return step


def _steps(
    config: Config, trainer: Trainer, clips: LatentClips, run: NullRun, steps: range, stop: Stop, work: Job
) -> None:
    """Do the optimizer steps of a range, with log and checkpoints; `work` learns how long they take without these."""
    settings, accelerator = config.train, trainer.accelerator
    order = StepOrder(
        len(clips),
        clips.seed,
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
    run.start(steps)

    for step in steps:
        done = step + 1
        with work.repeating(1):
            # Evaluate the loss and accumulate gradients.
            outcome = trainer.accumulate(passes, stop.reason is not None)

            # Update the weights, unless the gradients are not finite.
            if outcome.finite:
                trainer.apply(outcome)
                run.add(done, outcome)
            else:
                run.skip(done, outcome, partial(diagnose, trainer.trained, clips, order.positions(step)))
                trainer.skip()

        # Save, and end here if any process was asked to.
        end = done == steps.stop
        due = done % settings.checkpoint_every == 0 or done in settings.lengths or end
        if outcome.stop or (due and not (end and is_rehearsal(config))):  # nothing continues from a rehearsal's end
            run.save(done, trainer)
        if outcome.stop and not end:
            run.close()
            passes.close()  # ends the loader's workers
            accelerator.wait_for_everyone()  # nobody leaves before the checkpoint is written
            accelerator.end_training()
            raise Interrupted(
                f"stopped after step {done} of {steps.stop}: {stop.reason or 'another process was asked to'}",
                remedy="everything is saved: run the same command again to continue",
            )
    run.close()
    passes.close()


def _batches(loader: DataLoader, accelerator: Accelerator) -> Generator[Batch, None, None]:
    for batch in loader:
        yield {name: tensor.to(accelerator.device, non_blocking=True) for name, tensor in batch.items()}
