"""VideoGPT's preprocessing, and loading feature networks, including wrong ones."""

import hashlib
import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from scipy.ndimage import gaussian_filter

from fca.errors import FcaError
from fca.score.features import CUDNN, KINETICS, load_network, preprocess
from fca.score.frechet import frechet_distance
from fca.score.i3d import InceptionI3d, stage_means
from tests.library import pixels, shipped
from tests.score.project import LABELS

REPOSITORY = Path(__file__).parents[2]


def clips(seed: int, count: int = 3, frames: int = 8, height: int = 32, width: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, frames, height, width, 3), dtype=np.uint8)


def videogpt(video: np.ndarray, side: int) -> torch.Tensor:
    """The steps of VideoGPT's `preprocess`, for one clip (F, H, W, 3) -> (3, F, side, side)."""
    planes = torch.from_numpy(video).permute(0, 3, 1, 2).float() / 255
    height, width = planes.shape[2:]
    scale = side / min(height, width)
    size = (side, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), side)
    planes = F.interpolate(planes, size=size, mode="bilinear", align_corners=False)
    top, left = (planes.shape[2] - side) // 2, (planes.shape[3] - side) // 2
    return (planes[:, :, top : top + side, left : left + side].permute(1, 0, 2, 3) - 0.5) * 2


@pytest.mark.parametrize("height, width", [(48, 72), (72, 48), (40, 40), (33, 57), (240, 427)])
def test_preprocessing_is_videogpts(height: int, width: int) -> None:
    frames = clips(0, count=2, frames=3, height=height, width=width)
    expected = torch.stack([videogpt(clip, 56) for clip in frames])
    torch.testing.assert_close(preprocess(frames, 56, crop=True), expected, rtol=0, atol=1e-6)


def test_a_third_of_a_wide_clip_is_never_seen() -> None:
    frames = np.zeros((1, 1, 480, 720, 3), np.uint8)
    frames[:, :, :, :100] = frames[:, :, :, -100:] = 255
    assert preprocess(frames, 224, crop=True).shape == (1, 3, 1, 224, 224)
    assert preprocess(frames, 224, crop=True).max() == -1
    assert preprocess(frames, 224, crop=False).shape[3] == 224
    assert preprocess(frames, 224, crop=False).max() == 1


def test_clips_of_the_right_size_are_only_rescaled() -> None:
    frames = clips(1)
    expected = torch.from_numpy(frames).permute(0, 4, 1, 2, 3) / 127.5 - 1
    torch.testing.assert_close(preprocess(frames, 32, crop=False), expected, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="uint8"):
        preprocess(frames.astype(np.float32), 32, crop=False)


def test_a_folder_is_loaded(write_network) -> None:
    folder = write_network()
    network = load_network(folder)
    assert (network.name, network.classes) == ("tiny-i3d", LABELS)
    assert network.sha256 == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    frames = clips(2, count=5)
    found = network.extract(frames, batch_size=2)
    assert found.features.dtype == np.float64
    assert found.features.shape == (5, network.feature_width) == (5, 64)
    assert found.logits.shape == (5, len(LABELS))
    np.testing.assert_allclose(network.features(frames[3:4]), found.features[3:4], rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(network.extract(frames, batch_size=2).features, found.features)
    logits = load_network(write_network(features="logits"))
    np.testing.assert_array_equal(logits.features(frames, 2), found.logits)
    assert logits.feature_width == len(LABELS)


def test_stages_are_the_channel_means_in_units_of_their_spread(write_network) -> None:
    folder = write_network()
    module, state = load_network(folder).module, load_file(folder / "model.safetensors")
    with torch.no_grad():
        means = stage_means(module.stages(preprocess(clips(5), 32, crop=False)))
    width = means.shape[1]
    state |= {"standard.mean": torch.full((width,), 2.0), "standard.spread": torch.full((width,), 0.5)}
    assert "standard.mean" in message(write_network(features="stages"))
    save_file(state, folder / "model.safetensors")
    network = load_network(folder)
    assert network.feature_width == width > module.feature_width
    np.testing.assert_allclose(network.features(clips(5)), (means.double() - 2) / 0.5, rtol=1e-3, atol=1e-5)
    logits = load_network(write_network()).extract(clips(5)).logits
    save_file(state, folder / "model.safetensors")
    np.testing.assert_array_equal(load_network(folder).extract(clips(5)).logits, logits)


def test_the_shipped_network_reads_tasks_and_sees_blur_and_another_scene() -> None:
    """Validation clips of the library, whose seeds its training has not seen."""
    network = load_network(REPOSITORY / "config" / "pocket-base" / "features")
    chosen = list(shipped("ssv2", "validation").values())[:36]
    frames = np.stack([pixels(clip) for clip in chosen])
    truth = network.extract(frames)
    assert network.config.features == "stages"
    found = [network.classes[index] for index in truth.logits.argmax(1)]
    assert np.mean([one == clip.label for one, clip in zip(found, chosen, strict=True)]) >= 0.95
    blurred = gaussian_filter(frames, (0, 0, 1.5, 1.5, 0))
    half, features = len(frames) // 2, truth.features
    spliced = np.concatenate([frames[:half, :1], frames[half:, 1:]], axis=1)
    floor = frechet_distance(features[:half], features[half:])
    assert frechet_distance(features[:half], network.features(frames[:half])) < 1e-3
    assert frechet_distance(features[:half], network.features(blurred[:half])) > 0.02 * floor  # measured: 0.037
    assert frechet_distance(features[:half], network.features(spliced)) > 0.5 * floor  # 1.2


def test_convolutions_are_cudnns_in_float32_and_the_same_every_time(write_network) -> None:
    """Every field of `cudnn.flags` is stated: one left out is set to its default, which turns cuDNN off."""
    cudnn = torch.backends.cudnn
    assert CUDNN.keys() == inspect.signature(cudnn.flags).parameters.keys()

    def state() -> tuple:
        precisions = cudnn.fp32_precision, cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision
        return cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, *precisions

    network, seen, before = load_network(write_network()), [], state()
    network.module.register_forward_pre_hook(lambda *_: seen.append(state()))
    first = next(module for module in network.module.modules() if isinstance(module, torch.nn.Conv3d))
    first.register_forward_hook(lambda *_: seen.append(state()))
    network.features(clips(3))
    assert set(seen) == {(True, False, True, False, "ieee", "ieee", "ieee")}
    assert state() == before


def test_the_file_of_videogpt_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "i3d_pretrained_400.pt"
    torch.manual_seed(0)
    torch.save(InceptionI3d().state_dict(), path)
    network = load_network(path)
    assert network.config == KINETICS
    assert (network.name, network.classes, network.feature_width) == ("i3d", None, 400)
    assert network.features(clips(3, count=1, frames=16)).shape == (1, 400)


def test_a_float16_file_and_one_without_batch_counts_are_loaded(write_network) -> None:
    """Old checkpoints have no `num_batches_tracked`; the shipped network is stored in float16."""
    folder = write_network()
    expected = load_network(folder).features(clips(4))
    state = load_network(folder).module.state_dict()
    halves = {name: state[name].half().contiguous() for name in state if "num_batches" not in name}
    save_file(halves, folder / "model.safetensors")
    found = load_network(folder).features(clips(4))
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


def message(path: Path) -> str:
    with pytest.raises(FcaError) as caught:
        load_network(path)
    assert "remedy: " in str(caught.value)
    return str(caught.value)


def test_wrong_folders_are_refused_by_name(write_network, tmp_path: Path) -> None:
    assert "no feature network" in message(tmp_path / "nowhere.pt")
    assert "config.json" in message(tmp_path)
    folder = write_network(widht=1)
    assert "widht" in message(folder)
    assert "short_side" in message(write_network(short_side="64"))
    assert "model.safetensors" in message(write_network(width=0.5))
    assert "model.safetensors" in message(write_network(classes=["left", "right"]))
    (folder / "config.json").write_text("{")
    assert "config.json" in message(folder)
    write_network()
    (folder / "model.safetensors").write_bytes(b"not weights")
    assert "can't be read as weights" in message(folder)
    (folder / "model.safetensors").unlink()
    assert "no feature network" in message(folder)


class Harmful:
    """A pickle that would run code when read without care."""

    def __reduce__(self):
        return (print, ("code ran",))


def test_wrong_files_are_refused_and_run_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "i3d_pretrained_400.pt"
    path.write_bytes(b"")
    assert str(path) in message(path)
    torch.save({"weights": Harmful()}, path)
    assert str(path) in message(path)
    assert "code ran" not in capsys.readouterr().out
    torch.save([torch.zeros(2)], path)
    assert "not a state dict" in message(path)
    state = InceptionI3d(width=1 / 16).state_dict()
    torch.save(state, path)
    assert "size mismatch" in message(path)
    state.pop("Mixed_3b.b0.conv3d.weight")
    torch.save(state, path)
    assert "Mixed_3b.b0.conv3d.weight" in message(path)
