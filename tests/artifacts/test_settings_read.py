"""No step reads a setting that its fingerprint lacks, unless that setting is harmless: recorded while all steps run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fca.artifacts import fingerprint as package
from fca.artifacts.fingerprint.settings import HARMLESS, affected, leaves
from fca.config import Config
from fca.config.settings import Settings
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.data.resample import resample
from fca.data.verify import verify
from fca.encode.shard import encode
from fca.report.page import report
from fca.report.preview import preview
from fca.sample.shard import sample
from fca.score.score import score
from fca.score.vae_roundtrip import score_vae_roundtrip
from fca.train.loop import train
from tests.conftest import small_config

CLIPS = 2
INPUTS = "which shards are its inputs, and those are compared"
SPLITS = (("train", "train"), ("score", "validation"), ("score_vae_roundtrip", "validation"))
EXCEPTIONS = {
    ("resample", "datasets.*.exclude"): "compared with what verified.json says; its quarantine is part of the job",
    ("encode", "datasets.*.exclude"): "the same",
    ("train", "sample.steps"): "a suggestion in model.json, which is no part of the model's hash",
    ("train", "sample.guidance_scale"): "the same",
    ("train", "sample.scheduler"): "the same",
    ("train", "variants.*.guidance_scale"): "the same",
    ("train", "variants.*.weights_of"): "a variant that has it is not trained",
    ("train", "train.lengths"): "which models are exported on the way; they don't change the training",
    ("sample", "train.learning_rate"): "resolved with the variant's other settings, and used by training alone",
    ("sample", "variants.*.steps"): "the same",
    **{(step, f"datasets.*.{split}.{name}"): INPUTS for step, split in SPLITS for name in ("clips", "shard_clips")},
    ("score", "datasets.*.edited_captions"): "whether there are any; their predictions aren't scored",
}


@pytest.fixture
def config(tmp_path, random_base) -> Config:
    """One dataset of library clips and one variant, in one shard a split."""
    values = small_config(tmp_path, random_base).model_dump(mode="json")
    split = {"clips": CLIPS, "shard_clips": CLIPS}
    made = {"train": split, "validation": split, "library": {"train": CLIPS, "validation": CLIPS}}
    values["datasets"] = {"ssv2": values["datasets"]["ssv2"] | made | {"edited_captions": {}, "train_steps": 1}}
    values["score"] |= {"bootstrap": 20, "vbench": None}
    return Config.model_validate(values)


class Recorder:
    """The names, with `*`, of the settings that were read."""

    def __init__(self, config: Config, patch: pytest.MonkeyPatch) -> None:
        self.read: set[str] = set()
        self.paused = False
        holders: dict[int, str] = {}

        def note_holders(settings: Settings, above: str) -> None:
            holders[id(settings)] = above
            for name in type(settings).model_fields:
                value = getattr(settings, name)
                within = value if isinstance(value, dict) else {}
                for item in within.values():
                    if isinstance(item, Settings):
                        note_holders(item, f"{above}{'variants' if name == 'ablations' else name}.*.")
                if isinstance(value, Settings):
                    note_holders(value, f"{above}{name}.")

        note_holders(config, "")
        kinds = {kind for _, kind, _ in leaves(config)}

        def getattribute(settings: Settings, name: str) -> object:
            if not self.paused and f"{holders.get(id(settings))}{name}" in kinds:
                self.read.add(f"{holders[id(settings)]}{name}")
            return object.__getattribute__(settings, name)

        copied, copies = Settings.model_copy, []

        def model_copy(settings: Settings, **how: object) -> Settings:
            """A copy with a variant's own settings takes the settings' place; kept, so that its id stays its own."""
            copy = copied(settings, **how)
            if id(settings) in holders:
                holders[id(copy)] = holders[id(settings)]
                copies.append(copy)
            return copy

        patch.setattr(Settings, "model_copy", model_copy)
        patch.setattr(Settings, "__getattribute__", getattribute, raising=False)

    def silent(self, function: Callable) -> Callable:
        def call(*arguments: object) -> object:
            paused, self.paused = self.paused, True
            try:
                return function(*arguments)
            finally:
                self.paused = paused

        return call

    @contextmanager
    def of(self) -> Iterator[set[str]]:
        self.read = set()
        yield self.read


def test_no_step_reads_a_setting_that_its_fingerprint_lacks(config, monkeypatch) -> None:
    name = "ssv2"
    steps: list[tuple[str, Callable[[], object]]] = [
        ("fetch", lambda: fetch(config, name)),
        ("index", lambda: build_index(config, name)),
        ("verify", lambda: verify(config, name)),
        ("preview", lambda: preview(config, name, ["train"], 2)),
        ("resample", lambda: resample(config, name, "validation", 0)),
        ("encode", lambda: [encode(config, name, split, 0) for split in ("train", "validation")]),
        ("train", lambda: train(config, name, "fca")),
        ("sample", lambda: [sample(config, name, "fca", kind, 0) for kind in ("validation", "opposite")]),
        ("score", lambda: score(config, name, "fca")),
        ("score_vae_roundtrip", lambda: score_vae_roundtrip(config, name)),
        ("report", lambda: report(config)),
    ]
    recorder = Recorder(config, monkeypatch)
    for function in ("settings_of", "weights_hash"):
        monkeypatch.setattr(package, function, recorder.silent(getattr(package, function)))
    forgotten = set()
    for step, run in steps:
        with recorder.of() as read:
            run()
        assert read - set(HARMLESS), f"{step} reads settings, so the recorder is broken"
        forgotten |= {(step, kind) for kind in read if step not in affected(kind) and kind not in HARMLESS}
    assert forgotten == set(EXCEPTIONS)
