"""Loading gives what upstream's own `from_pretrained` gives, in less memory."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel

from fca.config.shipped import located
from fca.errors import FcaError
from fca.model.adapter import FCAAdapter
from fca.pretrained.load import DTYPES, check_weights, load_pretrained

BASE = Path(located("config/pocket-base"))
NETWORKS = {"transformer": CogVideoXTransformer3DModel, "vae": AutoencoderKLCogVideoX, "adapter": FCAAdapter}


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("part", NETWORKS)
def test_a_network_is_the_one_that_diffusers_loads(part: str, dtype: torch.dtype) -> None:
    """Values, types, tables that are computed, configuration and mode."""
    folder, kind = BASE / part, NETWORKS[part]
    same(load_pretrained(kind, folder, dtype), kind.from_pretrained(folder, torch_dtype=dtype))


def test_shards_are_read_like_one_file(tmp_path: Path) -> None:
    whole = CogVideoXTransformer3DModel.from_pretrained(BASE / "transformer")
    whole.save_pretrained(tmp_path, max_shard_size="2MB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    same(load_pretrained(type(whole), tmp_path, torch.float32), type(whole).from_pretrained(tmp_path))


def test_a_file_that_is_cut_while_it_is_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(BASE / "transformer", tmp_path / "transformer")
    file = tmp_path / "transformer/diffusion_pytorch_model.safetensors"

    def cut_after_the_check(kind: type, folder: Path) -> None:
        check_weights(kind, folder)
        file.write_bytes(file.read_bytes()[:-1000])

    monkeypatch.setattr("fca.pretrained.load.check_weights", cut_after_the_check)
    with pytest.raises(FcaError, match=f"can't be loaded from {tmp_path / 'transformer'}"):
        load_pretrained(CogVideoXTransformer3DModel, tmp_path / "transformer", torch.float32)


def same(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    for of in ("named_parameters", "named_buffers"):
        mine, expected = (dict(getattr(each, of)()) for each in (ours, theirs))
        assert mine.keys() == expected.keys()
        for name, value in mine.items():
            assert value.dtype == expected[name].dtype, name
            assert torch.equal(value, expected[name]), name
            assert (value.is_contiguous(), value.requires_grad) == (True, expected[name].requires_grad)
    assert dict(ours.config) == dict(theirs.config)
    assert [module.training for module in ours.modules()] == [module.training for module in theirs.modules()]


PEAK = """
import sys
from pathlib import Path
import torch
from diffusers import CogVideoXTransformer3DModel as Kind
from fca.artifacts.measured import host_peak
from fca.pretrained.load import load_pretrained

load_pretrained(Kind, Path("PART"), torch.float32)  # what the first network brings with it
before = host_peak()
LOAD
print((host_peak() - before) / 2**20)
"""
WAYS = {
    "ours": "load_pretrained(Kind, Path(sys.argv[1]), torch.bfloat16)",
    "diffusers": "Kind.from_pretrained(sys.argv[1], torch_dtype=torch.bfloat16)",
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer of 270 MiB in float16, as CogVideoX-2B is published."""
    folder = tmp_path_factory.mktemp("large")
    with torch.device("meta"):
        network = CogVideoXTransformer3DModel(
            num_attention_heads=12, num_layers=12, text_embed_dim=64, sample_width=16, sample_height=16
        )
    network.half().to_empty(device="cpu").save_pretrained(folder)
    return folder


def test_loading_takes_the_weights_once(large: Path) -> None:
    """Resident memory, mapped files included: loading its base was the peak of training LoRA at full size."""
    weights = (large / "diffusion_pytorch_model.safetensors").stat().st_size / 2**20
    peaks = {}
    for name, way in WAYS.items():
        code = PEAK.replace("PART", str(BASE / "transformer")).replace("LOAD", way)
        done = subprocess.run([sys.executable, "-c", code, str(large)], capture_output=True, text=True, check=True)
        peaks[name] = float(done.stdout)
    assert peaks["ours"] < 1.1 * weights + 20
    assert peaks["diffusers"] > 1.7 * weights, "otherwise diffusers' own loading will do"
