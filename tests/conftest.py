"""A small project for the steps after resampling: real networks with random weights, and a few random clips."""

import atexit
import json
import shutil
import signal
import tempfile
from collections.abc import Container, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import write_shard
from fca.config import BaseKind, Config, Layout, load
from fca.data.clip_source import StoredClips
from fca.encode.shard import encode
from fca.runs.stop import SIGNALS

pytest_plugins = ["tests.browser", "tests.hub"]

LONGEST = ("workflow/test_fits.py", "workflow/test_reruns.py", "workflow/test_graph.py", "train/test_variants.py")

CONFIG = Path(__file__).resolve().parents[1] / "config/pocket.yaml"
CAPTIONS = ["push red block left", "lift blue cup", "lower blue cup", "look left", "push red block right"]
OPPOSITES = ["push red block right", "lower blue cup", "lift blue cup", "look right", "push red block left"]
CLIPS = len(CAPTIONS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest begin, so that both processes of `make test` end at about the same time."""
    items.sort(key=lambda item: not str(item.path).endswith(LONGEST))


@pytest.fixture(scope="session")
def random_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the layout of CogVideoX-2B beside BLIP-2's, at the pocket's size, with random weights."""
    from transformers import Blip2VisionModel

    from fca.pocket import base, text, vae, vision

    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    tokenizer = text.load_tokenizer(folder, CAPTIONS)
    vae.build().save_pretrained(folder / "vae")
    transformer, blip2 = base.build_transformer(), vision.build_config(len(tokenizer))
    vit = Blip2VisionModel(blip2.vision_config)
    with torch.no_grad():  # gates and output, and the whole ViT, begin near zero: make every path count
        for parameter in (*transformer.parameters(), *vit.parameters()):
            parameter.add_(0.05 * torch.randn_like(parameter))
    transformer.save_pretrained(folder / "transformer")
    text.build_text_encoder(len(tokenizer)).save_pretrained(folder / "text_encoder")
    base.build_scheduler().save_pretrained(folder / "scheduler")
    vision.save(blip2, vit, tokenizer, folder / "vision")
    return folder


@pytest.fixture(scope="session")
def random_image_base(random_base: Path) -> Path:
    """The same for the image-to-video base of Table 2: a transformer of its own, the other parts shared."""
    from fca.pocket import image_base

    folder = random_base.with_name("image-base")
    torch.manual_seed(1)
    transformer = image_base.build_transformer()
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    image_base.link_shared(random_base, folder)
    transformer.save_pretrained(folder / "transformer")
    return folder


def small_config(folder: Path, base: Path, **train: object) -> Config:
    """The pocket configuration with its files below `folder`, networks from `base`, and four training steps.

    Its clips (`write_clips`) aren't the library's, so no task and no position is scored.
    """
    overrides = {
        "data_dir": str(folder / "data"),
        "run_dir": str(folder / "runs"),
        "report_dir": str(folder / "reports"),
        "clip": {"width": 48, "height": 32},
        "base": {"model": str(base), "vision_model": str(base / "vision")},
        "features": {"network": str(without_tasks())},
        "positions": {"network": None},
        "train": {"init_from": None, "batch_size": 2, "warmup_steps": 1, "checkpoint_every": 2, "log_every": 1} | train,
        "sample": {"steps": 3, "batch_size": 2, "guidance_scale": 2.0},
    }
    for dataset in ("ssv2", "bridge", "epic"):
        shard = {"clips": CLIPS, "shard_clips": 3}
        overrides.setdefault("datasets", {})[dataset] = {"train": shard, "validation": shard, "train_steps": 4}
    overrides["datasets"]["ssv2"]["ablation_steps"] = 2
    return load(CONFIG, overrides)


@cache
def without_tasks() -> Path:
    """The shipped feature network with classes that are no tasks; one folder, since settings name it."""
    folder = Path(tempfile.mkdtemp(prefix="features-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(CONFIG.parent / "pocket-base/features", folder, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    config["classes"] = [f"class {number}" for number in range(len(config["classes"]))]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts back what this process does on signals."""
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.fixture
def project(tmp_path: Path, random_base: Path) -> Config:
    """A configuration whose clip shards of ssv2 exist: five clips a split, in shards of three and two."""
    config = small_config(tmp_path, random_base)
    write_clips(config)
    return config


def encode_stored(config: Config, split: str, shard: int, base: BaseKind = "text") -> None:
    """Latents of the stored clips that `write_clips` made: there are no videos to decode train from."""
    encode(config, "ssv2", split, shard, base, StoredClips(config, "ssv2", split, shard))


@pytest.fixture(scope="session")
def encoded_once(tmp_path_factory: pytest.TempPathFactory, random_base: Path) -> Config:
    """A project as `encoded`; not to be changed."""
    config = small_config(tmp_path_factory.mktemp("encoded"), random_base)
    write_clips(config)
    for shard in (0, 1):
        encode_stored(config, "train", shard)
    return config


@pytest.fixture
def encoded(project: Config, encoded_once: Config) -> Config:
    """The same with the latents of its training clips."""
    shutil.copytree(encoded_once.data_dir, project.data_dir, dirs_exist_ok=True)
    return project


def write_clips(config: Config, change: int = 0, empty: Container[int] = ()) -> None:
    """Random clips of ssv2; `change` alters every frame after the initial ones, `empty` shards lost all their clips."""
    layout, clip = Layout(config), config.clip
    for split in ("train", "validation"):
        random = np.random.default_rng(7)
        frames = random.integers(0, 256, (CLIPS, clip.frames, clip.height, clip.width, 3), dtype=np.uint8)
        frames[:, config.datasets["ssv2"].initial_frames :] += np.uint8(change)
        for shard in layout.shards("ssv2", split):
            every = layout.shard_rows("ssv2", split, shard)
            rows = every[:0] if shard in empty else every
            lost = every if shard in empty else []
            write_shard(
                layout.clips("ssv2", split, shard),
                "clips",
                {
                    "frames": frames[rows.start : rows.stop],
                    "caption": CAPTIONS[rows.start : rows.stop],
                    "padded": np.zeros(len(rows), dtype=np.int32),
                },
                ids=[f"clip{row}" for row in rows],
                parents={},
                made_by={},
                quarantine=[Quarantine("ssv2", split, f"clip{row}", "verify", f"{row}.webm", "gone") for row in lost],
            )
