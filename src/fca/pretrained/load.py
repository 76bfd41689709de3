"""Frozen networks, loaded completely or not at all, from a folder or a commit on the hub.

The folders are the published ones: CogVideoX-2B and CogVideoX1.5-5B-I2V in diffusers' layout (transformer, vae,
text_encoder, tokenizer, scheduler), and BLIP-2 in transformers'. docs/checkpoints.md lists their files.
"""

import ctypes
import gc
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from accelerate.utils import set_module_tensor_to_device
from diffusers import ModelMixin
from safetensors import SafetensorError

from fca.artifacts.measured import loading
from fca.config import Base
from fca.config.shipped import HUB, network_folder
from fca.errors import FcaError, first_line
from fca.pretrained.files import AGAIN, PICKLE, SAFETENSORS, check_sha256, check_shapes, shapes, slices, weight_files

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`."""
LARGE = 16 * 2**20
"""Bytes of a tensor whose memory is the system's again when it is freed."""
SMALL = ("*.json", "*.model", "*.txt")
"""Configurations and tokenizers."""
VARIANTS = ["*.fp16.*", "*.fp16-*", "*.bf16.*", "*.bf16-*", "*.non_ema.*"]
"""The same weights once more, in another precision: never fetched."""
CONFIGURATION = {"scheduler": "scheduler_config.json", "tokenizer": "tokenizer_config.json"}
"""The configuration file of a part, if it isn't `config.json`."""
VOCABULARIES = ("tokenizer.json", "spiece.model", "vocab.txt")
SCHEDULE = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "prediction_type",
    "rescale_betas_zero_snr",
    "snr_shift_scale",
    "timestep_spacing",
    "set_alpha_to_one",
    "clip_sample",
)
"""What scheduler_config.json must say, because the scheduler's own defaults differ from CogVideoX's."""


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def checkpoint_folder(name: str, revision: str | None, patterns: list[str]) -> Path:
    """The local folder of a checkpoint: `name` itself, or its files matching `patterns` from the hub's cache.

    A name on the hub is allowed without a commit; a warning names the commit that was found.

    Raises:
        FcaError: the name can only be a folder and there is none, or the hub doesn't give the files.
    """
    if (found := network_folder(name)) is not None:
        return found
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name = name.removeprefix(HUB)
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=patterns, ignore_patterns=VARIANTS))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise FcaError(
            f"{name} at revision {revision} could not be fetched ({type(error).__name__}: {error})",
            "the checkpoint in the hub's cache, or a network that reaches the hub",
            "download it on a machine with a network and name its folder in the configuration",
        ) from error
    if revision is None or not re.fullmatch("[0-9a-f]{40}", revision):
        warnings.warn(
            f"{name} has no pinned commit and may change under your results: commit {folder.name} is used now; "
            "write it into the configuration (base.revision, base.vision_revision)",
            stacklevel=2,
        )
    return folder


def base_folder(base: Base, *parts: str) -> Path:
    """The folder of the CogVideoX checkpoint with these parts in it (`vae`, `transformer`, ...), hashes checked.

    Raises:
        FcaError: a part or its configuration is missing, a file has another sha256 than `base.sha256` says, or the
            scheduler isn't CogVideoX's.
    """
    patterns = [f"{part}/{name}" for part in parts for name in (*SMALL, *_weight_patterns(SAFETENSORS))]
    folder = checkpoint_folder(base.model, base.revision, patterns)
    for part in parts:
        if not (folder / part).is_dir():
            raise FcaError(
                f"{folder} has no folder {part}",
                "a CogVideoX checkpoint in diffusers' layout, complete",
                "fetch the missing part, or fix base.model",
            )
        _require(folder / part / CONFIGURATION.get(part, "config.json"))
    check_sha256(folder, base.sha256, "base.sha256", set(parts))
    if "scheduler" in parts:
        check_scheduler(folder / "scheduler" / CONFIGURATION["scheduler"])
    return folder


def vision_folder(base: Base) -> Path:
    """The folder of the BLIP-2 checkpoint, hashes checked; its pickle is fetched only if it has no safetensors."""
    name, revision = base.vision_model, base.vision_revision
    folder = checkpoint_folder(name, revision, [*SMALL, *_weight_patterns(SAFETENSORS[1:])])
    if not any(folder.glob("model*.safetensors")):
        folder = checkpoint_folder(name, revision, [*SMALL, *_weight_patterns((PICKLE,))])
    check_sha256(folder, base.vision_sha256, "base.vision_sha256")
    return folder


def check_scheduler(path: Path) -> None:
    """Check that a scheduler's configuration states what CogVideoX was trained with.

    Raises:
        FcaError: a setting is missing or differs.
    """
    config = read_json(path)
    missing = [key for key in SCHEDULE if key not in config]
    if missing:
        raise FcaError(
            f"{path} does not say {', '.join(missing)}", "the published file: the defaults are another model's", AGAIN
        )
    if config["prediction_type"] != "v_prediction":
        problem = f"{path} has prediction_type {config['prediction_type']!r}"
        raise FcaError(problem, "v_prediction, which training and sampling here are written for", AGAIN)


def check_weights(kind: Any, folder: Path) -> None:
    """Compare the names and shapes of the weights in `folder` with what its configuration asks of class `kind`.

    Reads headers and allocates nothing: a matter of seconds for any size.

    Raises:
        FcaError: files are missing or damaged, or weights are missing, left over or of another size.
    """
    if not (folder / "config.json").is_file():
        raise FcaError(
            f"{folder} holds no {kind.__name__} (no config.json)", "a complete folder", "fetch or rebuild it"
        )
    files = weight_files(folder)
    try:
        with init_empty_weights():
            if issubclass(kind, ModelMixin):
                network = kind.from_config(kind.load_config(folder, local_files_only=True))
            else:
                network = kind(kind.config_class.from_pretrained(folder, local_files_only=True))
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise _unusable(kind, folder, error) from error
    found = shapes(files)
    tied = set(getattr(kind, "_tied_weights_keys", None) or {})  # second names of weights, which a file may leave out
    state = network.state_dict()
    check_shapes(folder, {name: tuple(state[name].shape) for name in state if name in found or name not in tied}, found)


def load_pretrained(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """A network of class `kind` (diffusers' or transformers') from safetensors in `folder`, whole or in shards.

    Raises:
        FcaError: as `check_weights`, which comes first.
    """
    with loading_network():
        check_weights(kind, folder)
        return _loaded(kind, folder, dtype)


@contextmanager
def loading_network() -> Iterator[None]:
    """Count what happens inside as loading, once the memory of networks that were dropped is the system's again.

    Without this, the next network would come on top of the last one.
    """
    release_memory()
    with loading():
        yield


def release_memory() -> None:
    """Give the memory of dropped objects back to the system, and from now on that of large tensors as they are freed.

    glibc keeps what is freed for itself, in a heap whose gaps grow; above a size it asks the system each time. It
    raises that size up to 32 MiB by itself, more than an activation of CogVideoX-2B in bf16 (21 MiB).
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(M_TRIM_THRESHOLD, 4 * LARGE)
        libc.malloc_trim(0)


def _loaded(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    try:
        if issubclass(kind, ModelMixin):
            return _read(kind, folder, dtype)
        # From the folder's name alone, transformers maps all shards into memory until the last is converted: twice
        # the network.
        config = kind.config_class.from_pretrained(folder, local_files_only=True)
        with ExitStack() as opened:
            return kind.from_pretrained(None, config=config, state_dict=slices(folder, opened), dtype=dtype)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unusable(kind, folder, error) from error


def _read(kind: type[ModelMixin], folder: Path, dtype: torch.dtype) -> ModelMixin:
    """What `kind.from_pretrained` gives, tensor by tensor: the file that it maps stays resident next to the weights."""
    with init_empty_weights():
        network = kind.from_config(kind.load_config(folder, local_files_only=True))
    in_float32 = set(kind._keep_in_fp32_modules or ())
    with ExitStack() as opened:
        for name, stored in slices(folder, opened).items():
            own = torch.float32 if in_float32.intersection(name.split(".")) else dtype
            set_module_tensor_to_device(network, name, "cpu", value=stored[...], dtype=own)
    network.register_to_config(_name_or_path=folder)
    return network.eval()


def load_tokenizer(folder: Path, rows: int) -> Any:
    """The tokenizer in `folder`, which pads and cuts on the right, for a table of `rows` embeddings.

    Raises:
        FcaError: a file is missing or damaged (transformers alone would silently make an empty tokenizer of such a
            folder), or the vocabulary is larger than the table.
    """
    from transformers import AutoTokenizer

    _require(folder / CONFIGURATION["tokenizer"])
    vocabulary = next((folder / name for name in VOCABULARIES if (folder / name).is_file()), None)
    if vocabulary is None:
        raise FcaError(f"{folder} holds no vocabulary", " or ".join(VOCABULARIES), AGAIN)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, padding_side="right", truncation_side="right"
        )
    except Exception as error:  # tokenizers raises bare Exceptions, protobuf its own
        raise FcaError(f"{vocabulary} can't be read ({first_line(error)})", "an undamaged tokenizer", AGAIN) from error
    if tokenizer.vocab_size > rows:
        raise FcaError(
            f"{vocabulary} has {tokenizer.vocab_size} tokens, its embeddings have {rows} rows",
            "tokenizer and network of one checkpoint",
            AGAIN,
        )
    return tokenizer


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        FcaError: the file is missing or holds none.
    """
    _require(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FcaError(f"{path} is not JSON ({error})", "an undamaged file", AGAIN) from error
    if not isinstance(content, dict):
        raise FcaError(f"{path} holds no JSON object", "the published configuration", AGAIN)
    return content


def _weight_patterns(names: tuple[str, ...]) -> list[str]:
    """`model.safetensors` -> `model.safetensors` and `model-*-of-*.safetensors`."""
    return [pattern for name in names for pattern in (name, "-*-of-*.".join(name.rsplit(".", 1)))]


def _require(path: Path) -> None:
    if not path.is_file():
        raise FcaError(f"{path} is missing", "the published folder, complete", AGAIN)


def _unusable(kind: Any, folder: Path, error: Exception) -> FcaError:
    return FcaError(
        f"{kind.__name__} can't be loaded from {folder}: {first_line(error)}",
        "config.json and undamaged safetensors of the same network",
        "fetch or rebuild the folder",
    )
