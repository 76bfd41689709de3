"""A score file's numbers from pixels, each by its formula: one clip, one window, one pair, one resampling at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fca.config import Config
from fca.score.i3d import InceptionI3d
from tests.score.project import CLIPS, FRAMES, INITIAL, LABELS, predicted, scored, truth, write_clips, write_samples
from tests.score.reference import direct_kernel_distance, direct_psnr, direct_ssim, matrix_root_distance

Distance = Callable[[np.ndarray, np.ndarray], float]


@pytest.fixture
def features(tiny_weights: dict[str, Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    """A clip (F, H, W, 3) -> the input of I3D's classifier: Mixed_5c, averaged over two steps and the whole picture."""
    network = InceptionI3d(len(LABELS), 1 / 16).double().eval()
    network.load_state_dict(tiny_weights)

    def extract(clip: np.ndarray) -> np.ndarray:
        video = torch.from_numpy(np.moveaxis(clip.astype(np.float64), 3, 0) / 255 * 2 - 1)[None]
        with torch.no_grad():
            for name in network.body:
                video = network.get_submodule(name)(video)
        steps = video[0].mean((2, 3)).numpy()  # (C, T)
        pairs = [steps[:, step : step + 2].mean(1) for step in range(max(1, steps.shape[1] - 1))]
        return np.mean(pairs, axis=0)

    return extract


def frames_of(made: np.ndarray, clip: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The predicted frames with their truth."""
    return list(zip(made[INITIAL:], clip[INITIAL:], strict=True))


def percentiles(values: list[float], around: float) -> tuple[float, float]:
    """The 95 % interval of resampled values, moved so that their mean is at the score."""
    low, high = np.quantile(np.array(values) - np.mean(values), [0.025, 0.975])
    return around + low, around + high


@pytest.fixture
def classify(config: Config, features, tiny_weights: dict[str, Tensor]) -> Callable[[np.ndarray], list[str]]:
    """Features (n, d) -> tasks, by a classifier whose bias lets clips of noise differ; its network has it, too."""
    weight = tiny_weights["logits.conv3d.weight"]
    matrix = weight[:, :, 0, 0, 0].double().numpy()
    bias = -np.mean([matrix @ features(truth(row)) for row in range(CLIPS)], axis=0)
    changed = tiny_weights | {"logits.conv3d.bias": torch.from_numpy(bias).to(weight)}
    save_file(changed, Path(config.features.network) / "model.safetensors")
    return lambda rows: [LABELS[index] for index in (rows @ matrix.T + bias)[:, :-1].argmax(1)]  # of the own place


def test_every_number_of_a_score_file(config: Config, features, classify) -> None:
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite")
    found = scored(config, "fca")
    scores, stem = found["scores"], f"tiny-i3d_{CLIPS}x{FRAMES}f"

    # Pixels: the mean over predicted frames, then over clips.
    pairs = [(predicted(row), truth(row)) for row in range(CLIPS)]
    per_frame = {
        name: np.array([[measure(*frames) for frames in frames_of(*pair)] for pair in pairs])
        for name, measure in (("psnr", direct_psnr), ("ssim", direct_ssim))
    }
    draws = np.random.default_rng(config.seed).multinomial(CLIPS, [1 / CLIPS] * CLIPS, size=20)
    drawn = [np.repeat(np.arange(CLIPS), times) for times in draws]
    for name, values in per_frame.items():
        clips = values.mean(1)
        assert [clip[name] for clip in found["clips"]] == pytest.approx(clips, rel=1e-5)
        assert found[f"{name}_per_frame"] == pytest.approx(values.mean(0), rel=1e-5)
        assert scores[name]["value"] == pytest.approx(clips.mean(), rel=1e-5)
        ends = percentiles([clips[rows].mean() for rows in drawn], clips.mean())
        assert (scores[name]["low"], scores[name]["high"]) == pytest.approx(ends, rel=1e-5)

    # Features: of the truth, of predictions that begin with the truth, and of those that the model made.
    of_truth = np.stack([features(clip) for _, clip in pairs])
    begun = np.stack([features(np.concatenate([clip[:INITIAL], made[INITIAL:]])) for made, clip in pairs])
    raw = np.stack([features(made) for made, _ in pairs])
    for made, end in ((begun, f"gt{INITIAL}"), (raw, "raw")):
        fvd = matrix_root_distance(of_truth, made)
        entry = scores[f"fvd_{stem}_{end}"]
        assert entry["value"] == pytest.approx(fvd, rel=1e-4)
        low, high = percentiles([matrix_root_distance(of_truth[rows], made[rows]) for rows in drawn], fvd)
        assert (entry["low"], entry["high"]) == pytest.approx((max(low, 0), high), rel=1e-3)
        rng = np.random.default_rng(config.seed)
        orders = [rng.permutation(CLIPS) for _ in range(20)]
        halves = [half for order in orders for half in (order[:3], order[3:6])]
        bias = np.mean([matrix_root_distance(of_truth[half], made[half]) for half in halves]) - fvd
        assert entry["bias"] == pytest.approx(bias, rel=1e-3)

        shifted = [values - values.mean(0) for values in (of_truth, made)]
        for name, sets in (("kvd", (of_truth, made)), ("kvd_seer", shifted)):
            entry, kvd = scores[f"{name}_{stem}_{end}"], direct_kernel_distance(*sets)
            assert entry["value"] == pytest.approx(kvd, rel=1e-3, abs=1e-6), name
            resampled = [direct_kernel_distance(*sets, rows) for rows in drawn]
            assert (entry["low"], entry["high"]) == pytest.approx(percentiles(resampled, kvd), rel=1e-2, abs=1e-5)

    assert [clip["task_found"] for clip in found["clips"]] == classify(begun) != classify(of_truth)
    asked = [clip["task_asked"] for clip in found["clips"]]
    for tasks, entry in (
        (classify(begun), scores["task_accuracy"]),
        (classify(of_truth), found["reference"]["task_accuracy_of_truth"]),
    ):
        assert entry["value"] == pytest.approx(np.mean([one == other for one, other in zip(tasks, asked, strict=True)]))

    # The truth in halves.
    halves = [matrix_root_distance(of_truth[order[:3]], of_truth[order[3:6]]) for order in orders]
    assert found["reference"]["fvd_truth_halves"]["value"] == pytest.approx(np.mean(halves), rel=1e-4)
