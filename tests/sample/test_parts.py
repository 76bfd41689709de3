"""Where a pipeline's parts come from and where they are: folders, the hub's cache, other pipelines, devices."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    FasterCacheConfig,
    FirstBlockCacheConfig,
    MagCacheConfig,
    PyramidAttentionBroadcastConfig,
    TorchAoConfig,
)

from fca.errors import FcaError
from fca.model import FCAAdapter
from fca.model.build import load_transformer
from fca.model.controlnet import CogVideoXControlNet
from fca.model.lora import add_lora
from fca.pretrained.exported import ExportedModel
from fca.sample import FCAPipeline
from tests.hub import TOKEN
from tests.sample.exported import predict

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def pipeline(model):
    return quiet(FCAPipeline.from_pretrained(model))


def quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """The hub's cache, empty, without a network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def cached(hub: Path, name: str, folder: Path) -> None:
    """Put a folder into the hub's cache as the newest commit of a repository."""
    repository = hub / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(COMMIT)


def test_a_saved_pipeline_predicts_the_same_and_needs_nothing_else(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "whole")
    loaded = quiet(FCAPipeline.from_pretrained(tmp_path / "whole"))
    assert loaded.prediction == pipeline.prediction
    assert np.array_equal(predict(loaded), predict(pipeline))
    index = json.loads((tmp_path / "whole/model_index.json").read_text())
    assert index["adapter"] == ["fca.model.adapter", "FCAAdapter"]
    half = FCAPipeline.from_pretrained(tmp_path / "whole", dtype=torch.bfloat16)
    assert {half.transformer.dtype, half.adapter.dtype, half.vae.dtype} == {torch.bfloat16}
    whole = {"transformer": torch.bfloat16, "default": torch.float32}
    mixed = FCAPipeline.from_pretrained(tmp_path / "whole", dtype=whole)
    assert (mixed.transformer.dtype, mixed.adapter.dtype, mixed.vae.dtype) == (torch.bfloat16, *[torch.float32] * 2)


def test_a_pipeline_without_an_adapter_is_saved_too(pipeline, tmp_path):
    bare = quiet(FCAPipeline(**pipeline.components | {"adapter": None}, prediction=pipeline.config.prediction))
    expected = predict(bare)
    bare.save_pretrained(tmp_path)
    assert np.array_equal(predict(quiet(FCAPipeline.from_pretrained(tmp_path))), expected)
    assert not np.array_equal(predict(pipeline), expected)


def test_low_rank_weights_are_not_saved_as_a_whole(pipeline, tmp_path):
    add_lora(pipeline.transformer, 2, 2)
    with pytest.raises(FcaError, match="low-rank weights"):
        pipeline.save_pretrained(tmp_path)


def test_a_part_may_be_given(model, random_base):
    transformer = load_transformer(ExportedModel.read(model).networks(), torch.float32)
    with torch.no_grad():
        transformer.proj_out.weight.zero_()
    pipeline = quiet(FCAPipeline.from_pretrained(model, transformer=transformer))
    assert pipeline.transformer is transformer
    assert not np.array_equal(predict(pipeline), predict(quiet(FCAPipeline.from_pretrained(model))))


def test_an_adapter_joins_a_pipeline_that_exists(model, pipeline):
    names = ("tokenizer", "text_encoder", "vae", "transformer", "scheduler")
    theirs = quiet(CogVideoXPipeline(**{name: pipeline.components[name] for name in names}))
    ours = quiet(FCAPipeline.from_pipe(theirs, adapter=model))
    assert ours.transformer is theirs.transformer
    assert ours.prediction == pipeline.prediction
    assert np.array_equal(predict(ours), predict(pipeline))
    again = quiet(FCAPipeline.from_pipe(pipeline))
    assert np.array_equal(predict(again), predict(pipeline))
    settings = {"height": 32, "width": 48, "num_frames": 16, "max_sequence_length": 16, "output_type": "np"}
    video = theirs("look left", num_inference_steps=1, **settings).frames
    assert np.isfinite(video).all(), "without a condition the transformer is CogVideoX's"


def test_a_quantised_base_predicts_nearly_the_same(pipeline, model, random_base):
    """Needs `pip install --no-deps torchao`."""
    torchao = pytest.importorskip("torchao.quantization")
    settings = TorchAoConfig(torchao.Int8WeightOnlyConfig())
    quantised = CogVideoXTransformer3DModel.from_pretrained(
        random_base / "transformer", quantization_config=settings, torch_dtype=torch.float32
    )
    assert type(quantised.transformer_blocks[0].attn1.to_q.weight) is not torch.nn.Parameter
    video = predict(quiet(FCAPipeline.from_pretrained(model, transformer=quantised)))
    assert 0 < np.abs(video - predict(pipeline)).mean() < 0.01


def test_models_that_share_a_transformer_do_not_mix(model, pipeline):
    """Two adapters and a ControlNet on one base, one after the other and again."""
    adapter = FCAAdapter.from_pretrained(model)
    with torch.no_grad():
        for layer in adapter.layers:
            layer.attention.scale.fill_(2.0)
    control = CogVideoXControlNet.for_transformer(pipeline.transformer, 2, "repeated")
    with torch.no_grad():
        for linear in (control.control_in, *control.control_out):
            linear.weight.normal_(std=0.1)
    first = predict(pipeline)
    others = [quiet(FCAPipeline.from_pipe(pipeline, adapter=each)) for each in (adapter, control)]
    videos = [predict(other) for other in others]
    assert len({video.tobytes() for video in (first, *videos)}) == 3
    assert np.array_equal(predict(pipeline), first)
    for other, video in zip(others, videos, strict=True):
        assert np.array_equal(predict(other), video)


def test_a_model_and_its_base_come_from_the_hubs_cache(offline, model, random_base, tmp_path):
    expected = predict(quiet(FCAPipeline.from_pretrained(model)))
    folder = Path(shutil.copytree(model, tmp_path / "exported"))
    own = {"base": "hub:someone/base", "revision": COMMIT}
    own |= {"vision_model": "hub:someone/blip2", "vision_revision": COMMIT}
    ExportedModel.read(model).model_copy(update=own).write(folder)
    cached(offline, "someone/push", folder)
    with pytest.raises(FcaError, match="someone/base at revision 0123456789") as cold:
        FCAPipeline.from_pretrained("someone/push", revision=COMMIT)
    assert "download it on a machine with a network" in str(cold.value)
    cached(offline, "someone/base", random_base)
    cached(offline, "someone/blip2", random_base / "vision")
    assert np.array_equal(predict(quiet(FCAPipeline.from_pretrained("someone/push", revision=COMMIT))), expected)
    with pytest.warns(UserWarning, match="has no pinned commit"):
        FCAPipeline.from_pretrained("someone/push")


def test_a_whole_pipeline_comes_from_the_hubs_cache(offline, pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "whole")
    cached(offline, "someone/whole", tmp_path / "whole")
    loaded = quiet(FCAPipeline.from_pretrained("someone/whole", revision=COMMIT))
    assert np.array_equal(predict(loaded), predict(pipeline))


def test_what_is_missing_in_a_cold_cache_is_told(offline):
    with pytest.raises(FcaError, match="someone/none at revision None could not be fetched"):
        FCAPipeline.from_pretrained("someone/none")


def watched(pipeline) -> list[tuple[str, bool]]:
    """Each part's moves from now on: its name, and whether it goes to "cpu:0", which stands for the GPU."""
    moves: list[tuple[str, bool]] = []
    for name in ("text_encoder", "image_encoder", "transformer", "adapter", "vae"):
        part = getattr(pipeline, name)

        def moved(device, *args, name=name, to=part.to, **kwargs):
            moves.append((name, torch.device(device).index is not None))
            return to(device, *args, **kwargs)

        part.to = moved
    return moves


def test_offloaded_parts_predict_the_same_and_take_turns(model, pipeline):
    """Here both places are the CPU; what counts is which part is asked to be where, in what order."""
    expected = predict(pipeline)
    offloaded = quiet(FCAPipeline.from_pretrained(model))
    offloaded.enable_model_cpu_offload(device="cpu")
    moves = watched(offloaded)
    assert np.array_equal(predict(offloaded), expected)
    arrived = list(dict.fromkeys(name for name, there in moves if there))
    assert arrived == ["text_encoder", "image_encoder", "vae", "transformer", "adapter"]

    # accelerate moves nothing from the CPU to the CPU, so what leaves is asked of the hooks.
    hooks = {id(hook.model): hook for hook in offloaded._all_hooks}
    leaves = {name: hooks[id(getattr(offloaded, name))].hook.prev_module_hook for name in ("image_encoder", "vae")}
    assert leaves["image_encoder"].model is offloaded.caption_embeddings
    moves = watched(offloaded)
    leaves["vae"].offload()
    assert moves == [("transformer", False), ("adapter", False)], "both make room for the VAE"


def test_a_pipeline_goes_to_the_hub_and_back(hub, pipeline):
    pipeline.push_to_hub("someone/whole", token=TOKEN)
    assert "model_index.json" in hub.repositories["someone/whole"].files()
    commit = hub.repositories["someone/whole"].branches["main"]
    assert np.array_equal(
        predict(quiet(FCAPipeline.from_pretrained("someone/whole", revision=commit))), predict(pipeline)
    )


def test_a_pushed_model_is_loaded_by_its_name(hub, model, random_base, pipeline):
    base = {str(path.relative_to(random_base)): path.read_bytes() for path in random_base.rglob("*") if path.is_file()}
    vision = {name.removeprefix("vision/"): content for name, content in base.items() if name.startswith("vision/")}
    own = {"base": "hub:someone/base", "vision_model": "hub:someone/blip2"}
    own |= {"revision": hub.add("someone/base", base), "vision_revision": hub.add("someone/blip2", vision)}
    folder = {path.name: path.read_bytes() for path in model.iterdir()}
    text = ExportedModel.read(model).model_copy(update=own).model_dump_json()
    commit = hub.add("someone/push", folder | {"model.json": text.encode()})
    assert np.array_equal(
        predict(quiet(FCAPipeline.from_pretrained("someone/push", revision=commit))), predict(pipeline)
    )


def test_parts_are_named_shared_and_converted(pipeline):
    again = quiet(FCAPipeline(**pipeline.components, prediction=pipeline.config.prediction))
    assert np.array_equal(predict(again), predict(pipeline))
    half = again.to(torch.bfloat16)
    networks = [part for part in half.components.values() if isinstance(part, torch.nn.Module)]
    assert len(networks) == 6
    assert {part.dtype for part in networks} == {torch.bfloat16}


def test_variants_of_the_weights_are_saved_and_loaded(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path, variant="fp16")
    assert (tmp_path / "adapter/diffusion_pytorch_model.fp16.safetensors").is_file()
    assert np.array_equal(predict(quiet(FCAPipeline.from_pretrained(tmp_path, variant="fp16"))), predict(pipeline))
    with pytest.raises(ValueError, match="variant=bf16"):
        FCAPipeline.from_pretrained(tmp_path, variant="bf16")


@pytest.mark.parametrize(
    "config",
    [
        FirstBlockCacheConfig(threshold=0.0),
        MagCacheConfig(mag_ratios=[0.5] * 4, num_inference_steps=4, threshold=0.0),
        PyramidAttentionBroadcastConfig(spatial_attention_block_skip_range=1, current_timestep_callback=lambda: 500),
    ],
)
def test_a_cache_that_never_skips_changes_nothing(pipeline, config):
    expected = predict(pipeline, num_inference_steps=4)
    pipeline.transformer.enable_cache(config)
    for _ in range(2):
        assert np.array_equal(predict(pipeline, num_inference_steps=4), expected)


def test_a_cache_skips_blocks_and_forgets_them_before_the_next_video(pipeline):
    calls = []
    pipeline.transformer.transformer_blocks[-1].ff.register_forward_hook(lambda *_: calls.append(1))
    exact = predict(pipeline, num_inference_steps=6)
    assert len(calls) == 7, "the initial frames, and six steps"
    pipeline.transformer.enable_cache(FirstBlockCacheConfig(threshold=10.0))
    calls.clear()
    first = predict(pipeline, num_inference_steps=6)
    assert len(calls) == 2, "the initial frames, and the first step"
    assert not np.array_equal(first, exact)
    predict(pipeline, prompt="look left", num_inference_steps=6)
    assert np.array_equal(predict(pipeline, num_inference_steps=6), first)
    pipeline.transformer.disable_cache()
    assert np.array_equal(predict(pipeline, num_inference_steps=6), exact)


def test_another_cache_is_refused(pipeline):
    config = FasterCacheConfig(current_timestep_callback=lambda: 500, attention_weight_callback=lambda _: 0.3)
    pipeline.transformer.enable_cache(config)
    with pytest.raises(FcaError, match="FasterCacheConfig doesn't work"):
        predict(pipeline)
