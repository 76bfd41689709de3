"""The published folders at a small width, through the code that every step loads them with; then what may be wrong."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Blip2ForImageTextRetrieval

from fca.artifacts.atomic import sha256_file
from fca.config import Base
from fca.encode.blip2 import Blip2Folder, image_features, preprocess
from fca.encode.captions import TextNetworks, tokens_of
from fca.encode.shard import check_networks
from fca.encode.vae import initial_scaling_factor, load_vae, posterior
from fca.errors import FcaError
from fca.model.build import load_base
from fca.pretrained import published as configs
from fca.pretrained.load import base_folder, checkpoint_folder, load_pretrained, vision_folder
from fca.score.features import load_network
from fca.score.i3d import InceptionI3d
from tests.pretrained import folders

PARTS = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Blip2ForImageTextRetrieval]:
    """CogVideoX-2b, CogVideoX1.5-5B-I2V and blip2-itm-vit-g in one folder; and the whole of the last."""
    root = tmp_path_factory.mktemp("published")
    small = folders.write_cogvideox
    small(root / "CogVideoX-2b", configs.TRANSFORMER_2B, configs.VAE_2B, configs.SCHEDULER_2B, shards=1)
    large = (configs.TRANSFORMER_5B_I2V, configs.VAE_5B_I2V, configs.SCHEDULER_5B_I2V)
    small(root / "CogVideoX1.5-5B-I2V", *large, shards=3)
    return root, folders.write_blip2(root / "blip2-itm-vit-g")[1]


@pytest.fixture
def base(originals: tuple[Path, Blip2ForImageTextRetrieval], tmp_path: Path) -> Base:
    """Settings for a copy of the small folders, free to be damaged."""
    shutil.copytree(originals[0], tmp_path, dirs_exist_ok=True)
    return at(tmp_path, "CogVideoX-2b")


def at(root: Path, model: str, **settings: object) -> Base:
    vision = str(root / "blip2-itm-vit-g")
    return Base.model_validate({"model": str(root / model), "vision_model": vision, "text_tokens": 16} | settings)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 40, 56, 3), dtype=np.uint8))


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(FcaError) as error:
        action()
    return error.value.problem


def edit(path: Path, **changes: object) -> None:
    folders.write_json(path, json.loads(path.read_text()) | changes)


def test_every_file_has_its_published_name(originals) -> None:
    root, _ = originals
    found = {path.relative_to(root / "CogVideoX-2b").as_posix() for path in (root / "CogVideoX-2b").rglob("*.*")}
    assert found == {
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.json",
        "tokenizer/added_tokens.json",
        "tokenizer/special_tokens_map.json",
        "tokenizer/spiece.model",
        "tokenizer/tokenizer_config.json",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    }


@pytest.mark.parametrize(
    "model, shift, factor, inverted",
    [("CogVideoX-2b", 3.0, 1.15258426, False), ("CogVideoX1.5-5B-I2V", 1.0, 0.7, True)],
)
def test_encoders_read_every_part(originals, model: str, shift: float, factor: float, inverted: bool) -> None:
    root, _ = originals
    check_networks(at(root, model))
    vae, networks = load_vae(at(root, model), "fp32"), TextNetworks.load(at(root, model), "fp32")
    assert (vae.config.scaling_factor, vae.config.invert_scale_latents) == (factor, inverted)
    assert initial_scaling_factor(vae, image_to_video=False) == factor
    assert initial_scaling_factor(vae, image_to_video=True) == (1 / factor if inverted else factor)
    assert posterior(vae, torch.zeros(1, 16, 16, 16, 3, dtype=torch.uint8))[0].shape == (1, 16, 4, 2, 2)

    shards = (root / model / "text_encoder").glob("*.safetensors")
    state = {name: tensor for shard in shards for name, tensor in load_file(shard).items()}
    assert torch.equal(networks.text_encoder.encoder.embed_tokens.weight.cpu(), state["shared.weight"])
    for name, tensor in state.items():
        assert torch.equal(networks.text_encoder.state_dict()[name].cpu(), tensor), name
    assert networks.embedded(["push red block left", ""])[0].shape == (2, 16, 32)

    folder = base_folder(at(root, model), "scheduler")
    scheduler = CogVideoXDDIMScheduler.from_pretrained(folder / "scheduler")
    assert scheduler.config.snr_shift_scale == shift
    assert scheduler.config.prediction_type == "v_prediction"
    transformer = load_pretrained(CogVideoXTransformer3DModel, root / model / "transformer", torch.float32)
    files = (root / model / "transformer").glob("*.safetensors")
    state = {name: tensor.float() for file in files for name, tensor in load_file(file).items()}
    assert state.keys() == transformer.state_dict().keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in transformer.state_dict().items())


def test_the_denoiser_is_the_checkpoints(originals) -> None:
    transformer, scheduler = load_base(at(originals[0], "CogVideoX-2b"), torch.bfloat16)
    assert (transformer.dtype, transformer.config.num_layers) == (torch.bfloat16, 2)
    assert scheduler.config.snr_shift_scale == 3.0
    assert not any(parameter.requires_grad for parameter in transformer.parameters())


def test_t5_tokens_are_sentencepieces(originals) -> None:
    tokenizer = TextNetworks.load(at(originals[0], "CogVideoX-2b"), "fp32").tokenizer
    pieces = sentencepiece.SentencePieceProcessor(str(originals[0] / "CogVideoX-2b/tokenizer/spiece.model"))
    for caption in [*folders.SENTENCES, "", " two  spaces ", "ﬁne café ½ Ｗide", "漢字\tcup\n", "PUSH, red: 3!"]:
        expected = [*pieces.encode(caption), 1]
        assert tokenizer(caption).input_ids == expected, caption
        padded = tokenizer(caption, padding="max_length", max_length=64).input_ids
        assert padded == expected + [0] * (64 - len(expected))


@pytest.mark.parametrize("weights", ["model.safetensors", "shards", "pytorch_model.bin", "old pytorch_model.bin"])
def test_blip2_from_any_of_its_weight_files(originals, tmp_path: Path, weights: str) -> None:
    root, blip2 = originals
    folder = shutil.copytree(root / "blip2-itm-vit-g", tmp_path / "blip2")
    if weights != "model.safetensors":
        (folder / "model.safetensors").unlink()
        if weights == "shards":
            folders.save_shards(blip2.state_dict(), folder, "model", 2)
        else:
            zipped = not weights.startswith("old")
            torch.save(blip2.state_dict(), folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    found = Blip2Folder(vision_folder(at(tmp_path, "none", vision_model=str(folder))))
    found.check()
    image_encoder, embeddings = found.image_encoder(torch.float32), found.caption_embeddings()
    for ours, theirs in (
        (image_encoder, blip2.vision_model),
        (embeddings.embeddings, blip2.embeddings),
        (embeddings.norm, blip2.qformer.layernorm),
    ):
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())

    with torch.no_grad():
        expected = blip2.vision_model(preprocess(pictures(), 32)).last_hidden_state
        torch.testing.assert_close(image_features(image_encoder, pictures()), expected, rtol=0, atol=0)
        tokens = tokens_of(found.tokenizer, ["push Red blocks left", ""], 8)
        row = {word: number for number, word in enumerate(folders.WORDS)}
        words = ["[CLS]", "push", "red", "block", "##s", "left", "[SEP]", "[PAD]"]
        ids = torch.tensor([[row[word] for word in words], [row["[CLS]"], row["[SEP]"], *[row["[PAD]"]] * 6]])
        assert tokens.attention_mask.bool().tolist() == [[True] * 7 + [False], [True] * 2 + [False] * 6]
        torch.testing.assert_close(
            embeddings(tokens.input_ids), blip2.qformer.layernorm(blip2.embeddings(ids)), rtol=0, atol=0
        )


def test_berts_tokenizer_json_gives_the_same_tokens(base: Base) -> None:
    folder = Path(base.vision_model)
    before = Blip2Folder(folder).tokenizer("push red cups").input_ids
    AutoTokenizer.from_pretrained(folder).backend_tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink()
    assert Blip2Folder(folder).tokenizer("push red cups").input_ids == before


FILES = [
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model-00002-of-00002.safetensors",
    "tokenizer/spiece.model",
    "tokenizer/tokenizer_config.json",
    "vae/config.json",
]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(base: Base, name: str) -> None:
    (Path(base.model) / name).unlink()
    part, _, file = name.partition("/")
    told = refused(lambda: (base_folder(base, part), check_networks(base)))
    assert f"{Path(base.model) / part}" in told
    assert "vocabulary" in told if file == "spiece.model" else file in told


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(base: Base, part: str) -> None:
    shutil.rmtree(Path(base.model) / part)
    assert refused(lambda: base_folder(base, *PARTS)).endswith(f"has no folder {part}")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"])
def test_a_missing_file_of_blip2_is_named(base: Base, name: str) -> None:
    folder = Path(base.vision_model)
    (folder / name).unlink()
    told = refused(lambda: Blip2Folder(folder).check())
    assert str(folder) in told
    assert {"model.safetensors": "no weights", "vocab.txt": "no vocabulary"}.get(name, name) in told


def test_wrong_keys_and_widths_are_named(base: Base) -> None:
    vae, text = Path(base.model) / "vae", Path(base.model) / "text_encoder"
    weights = vae / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    renamed = dict(state)
    renamed["encoder.conv_in.weight"] = renamed.pop("encoder.conv_in.conv.weight")
    save_file(renamed, weights)
    told = refused(lambda: check_networks(base))
    assert "missing: encoder.conv_in.conv.weight; 1 not expected: encoder.conv_in.weight" in told
    save_file(state, weights)
    edit(text / "config.json", d_model=48)
    told = refused(lambda: check_networks(base))
    assert str(text) in told
    assert "of another size" in told
    assert "encoder.block.0.layer.0.SelfAttention.q.weight is (32, 32) instead of (32, 48)" in told


def test_what_is_wrong_with_blip2_is_named(base: Base) -> None:
    folder = Path(base.vision_model)
    state = load_file(folder / "model.safetensors")
    renamed = dict(state)
    renamed["embeddings.words.weight"] = renamed.pop("embeddings.word_embeddings.weight")
    save_file(renamed, folder / "model.safetensors")
    told = refused(lambda: Blip2Folder(folder).check())
    assert "missing: embeddings.word_embeddings.weight; 1 not expected: embeddings.words.weight" in told
    save_file(state | {"qformer.layernorm.bias": torch.zeros(25)}, folder / "model.safetensors")
    assert "qformer.layernorm.bias is (25,) instead of (24,)" in refused(lambda: Blip2Folder(folder).check())
    (folder / "model.safetensors").write_bytes(b"half a file")
    assert "model.safetensors can't be read" in refused(lambda: Blip2Folder(folder).check())
    edit(folder / "preprocessor_config.json", image_mean=[0.5, 0.5, 0.5])
    assert "image_mean is [0.5, 0.5, 0.5]" in refused(lambda: Blip2Folder(folder).check())
    (folder / "preprocessor_config.json").unlink()
    with (folder / "vocab.txt").open("a") as file:
        file.write("more\nwords\n")
    assert f"has {len(folders.WORDS) + 2} tokens" in refused(lambda: Blip2Folder(folder).check())
    (folder / "config.json").write_text("{")
    assert f"{folder / 'config.json'} is not JSON" in refused(lambda: Blip2Folder(folder).check())


def test_a_damaged_tokenizer_is_named(base: Base) -> None:
    path = Path(base.model) / "tokenizer" / "spiece.model"
    path.write_bytes(b"not a model")
    assert f"{path} can't be read" in refused(lambda: check_networks(base))


def test_another_scheduler_is_refused(base: Base) -> None:
    path = Path(base.model) / "scheduler" / "scheduler_config.json"
    edit(path, prediction_type="epsilon")
    assert f"{path} has prediction_type 'epsilon'" in refused(lambda: load_base(base, torch.float32))
    settings = {key: value for key, value in configs.SCHEDULER_2B.items() if "snr" not in key}
    folders.write_json(path, settings)
    told = refused(lambda: load_base(base, torch.float32))
    assert told == f"{path} does not say rescale_betas_zero_snr, snr_shift_scale"


def test_hashes_are_checked_before_weights_are_read_and_only_of_parts_that_are(base: Base) -> None:
    root = Path(base.model).parent
    names = [f"{part}/{path.name}" for part in PARTS for path in (root / "CogVideoX-2b" / part).iterdir()]
    right = {name: sha256_file(root / "CogVideoX-2b" / name) for name in names}
    vision = {path.name: sha256_file(path) for path in (root / "blip2-itm-vit-g").iterdir()}
    check_networks(at(root, "CogVideoX-2b", sha256=right, vision_sha256=vision))

    weights = "vae/diffusion_pytorch_model.safetensors"
    (root / "CogVideoX-2b" / weights).write_bytes(b"not even weights")
    wrong = at(root, "CogVideoX-2b", sha256=right)
    told = refused(lambda: check_networks(wrong))
    assert f"{weights} has sha256 {sha256_file(root / 'CogVideoX-2b' / weights)}" in told
    base_folder(wrong, "transformer", "scheduler")
    told = refused(lambda: base_folder(at(root, "CogVideoX-2b", sha256={"vae/more.bin": "0" * 64}), "vae"))
    assert told.endswith("vae/more.bin is missing")

    wrong = at(root, "CogVideoX-2b", vision_sha256=vision | {"vocab.txt": "0" * 64})
    assert "vocab.txt has sha256" in refused(lambda: vision_folder(wrong))


@pytest.mark.parametrize("settings", [{"sha256": {"vea/x": "0" * 64}}, {"vision_sha256": {"a/b": "0" * 64}}])
def test_hashes_of_files_that_no_checkpoint_has_are_refused(tmp_path: Path, settings: dict) -> None:
    with pytest.raises(ValueError, match="String should match pattern"):
        at(tmp_path, "CogVideoX-2b", **settings)


def test_the_i3d_file_must_have_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "i3d_pretrained_400.pt"
    torch.save(InceptionI3d().state_dict(), path)
    right = sha256_file(path)
    assert load_network(path, right).sha256 == right
    path.write_bytes(b"not weights")
    assert f"{path} has sha256 {sha256_file(path)}" in refused(lambda: load_network(path, right))
    assert "can't be read" in refused(lambda: load_network(path))


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_hub_name_without_a_commit_is_said_loudly(originals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the hub's own cache layout, without a network."""
    repository = tmp_path / "models--THUDM--CogVideoX-2b"
    shutil.copytree(originals[0] / "CogVideoX-2b", repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.warns(UserWarning, match=f"no pinned commit.*{COMMIT}"):
        folder = checkpoint_folder("THUDM/CogVideoX-2b", None, ["vae/*"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checkpoint_folder("THUDM/CogVideoX-2b", COMMIT, ["vae/*"]) == folder
        assert checkpoint_folder("hub:THUDM/CogVideoX-2b", COMMIT, ["vae/*"]) == folder
    base = at(tmp_path, "x").model_copy(update={"model": "THUDM/CogVideoX-2b", "revision": COMMIT})
    assert base_folder(base, *PARTS) == folder
    other = "f" * 40
    assert other in refused(lambda: checkpoint_folder("THUDM/CogVideoX-2b", other, ["vae/*"]))
