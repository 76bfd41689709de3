"""The Fréchet distance against closed forms, against scipy's matrix root and in its properties."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fca.score.frechet import covariance_factor, frechet_distance, seer_frechet_distance


def reference(first: np.ndarray, second: np.ndarray) -> float:
    """The formula as it is written, with scipy's general matrix root."""
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    shift = first.mean(0) - second.mean(0)
    return float(shift @ shift + np.trace(one + other - 2 * scipy.linalg.sqrtm(one @ other).real))


def by_eigenvalues(first: np.ndarray, second: np.ndarray) -> float:
    """The same with the root's trace from the eigenvalues of the product of the covariances."""
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    eigenvalues = np.linalg.eigvals(one @ other).real.clip(min=0)
    shift = first.mean(0) - second.mean(0)
    return float(shift @ shift + np.trace(one) + np.trace(other) - 2 * np.sqrt(eigenvalues).sum())


def features(seed: int, clips: int, width: int) -> np.ndarray:
    """Correlated gaussian features of very different scales, away from the origin."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(clips, width)) @ rng.normal(size=(width, width)) * 3 + rng.normal(size=width) * 10


def test_one_dimension_has_a_closed_form() -> None:
    first, second = features(0, 50, 1), features(1, 70, 1)
    expected = (first.mean() - second.mean()) ** 2 + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-12)


def test_covariances_that_commute_have_a_closed_form() -> None:
    """The same directions stretched differently: the distance is that of the standard deviations."""
    rng = np.random.default_rng(2)
    draws = rng.normal(size=(400, 8))
    draws -= draws.mean(0)
    white = draws @ np.linalg.inv(scipy.linalg.sqrtm(np.cov(draws, rowvar=False)).real)
    deviation, other = rng.uniform(0.5, 4, size=(2, 8))
    distance = frechet_distance(white * deviation, white * other + 1.5)
    assert distance == pytest.approx(((deviation - other) ** 2).sum() + 8 * 1.5**2, rel=1e-10)


@pytest.mark.parametrize("clips", [300, 60])
def test_agrees_with_scipy_where_the_covariances_are_well_conditioned(clips: int) -> None:
    first, second = features(3, clips, 20), features(4, clips, 20)
    assert frechet_distance(first, second) == pytest.approx(reference(first, second), rel=1e-8)
    assert frechet_distance(first, second) == pytest.approx(by_eigenvalues(first, second), rel=1e-8)


def videogpt(first: np.ndarray, second: np.ndarray, dtype: torch.dtype = torch.float64) -> float:
    """VideoGPT's own lines (after TensorFlow-GAN), which Seer copied; both run them in float32."""

    def root(matrix: Tensor, eps: float = 1e-10) -> Tensor:
        left, values, right = torch.svd(matrix)
        values = torch.where(values < eps, values, torch.sqrt(values))
        return torch.matmul(torch.matmul(left, torch.diag(values)), right.t())

    def cov(rows: Tensor) -> Tensor:
        columns = rows.t().clone()
        columns -= torch.mean(columns, dim=1, keepdim=True)
        return 1.0 / (columns.size(1) - 1) * columns.matmul(columns.t()).squeeze()

    one, other = (torch.from_numpy(clips).to(dtype) for clips in (first, second))
    shift, sigma, sigma_w = one.mean(dim=0) - other.mean(dim=0), cov(one), cov(other)
    half = root(sigma)
    overlap = torch.trace(root(torch.matmul(half, torch.matmul(sigma_w, half))))
    return float(torch.trace(sigma + sigma_w) - 2.0 * overlap + torch.sum(shift**2))


@pytest.mark.parametrize("clips", [500, 60, 25])
def test_agrees_with_videogpts_formula(clips: int) -> None:
    first, second = features(7, clips, 40), features(8, clips, 40)
    assert frechet_distance(first, second) == pytest.approx(videogpt(first, second), rel=1e-6)


@pytest.mark.parametrize("clips", [500, 100, 60])
def test_seers_distance_is_videogpts_formula_in_float32(clips: int) -> None:
    """400 logits of two sets from one distribution, as of a good model."""
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(400, 400)) * np.geomspace(1, 1e-3, 400)
    first, second = (rng.normal(size=(clips, 400)) @ mixing.T * 0.1 for _ in range(2))
    seer, written = seer_frechet_distance(first, second), videogpt(first, second, torch.float32)
    assert seer == pytest.approx(written, rel=1e-6)
    assert 1e-5 < abs(seer / frechet_distance(first, second) - 1) < 0.02, "rounding, but not nothing"


def test_seers_distance_of_one_dimension_has_a_closed_form() -> None:
    first, second = features(0, 50, 1), features(1, 70, 1)
    expected = (first.mean() - second.mean()) ** 2 + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert seer_frechet_distance(first, second) == pytest.approx(expected, rel=1e-5)


def test_seers_distance_keeps_singular_values_below_1e_10_as_they_are() -> None:
    """Of features so small no root is taken, so nothing is left of the overlap."""
    first, second = 1e-6 * features(0, 50, 1), 1e-6 * features(1, 70, 1)
    expected = (first.mean() - second.mean()) ** 2 + first.var(ddof=1) + second.var(ddof=1)
    assert seer_frechet_distance(first, second) == pytest.approx(expected, rel=1e-5, abs=0)


@pytest.mark.parametrize("clips", [5, 20, 40])
def test_agrees_with_the_eigenvalues_where_clips_are_fewer_than_dimensions(clips: int) -> None:
    first, second = features(5, clips, 40), features(6, clips, 40)
    assert frechet_distance(first, second) == pytest.approx(by_eigenvalues(first, second), rel=1e-5)


def test_both_forms_of_the_factor_give_one_distance() -> None:
    """Zero columns change nothing, but turn n > d into n <= d."""
    first, second = features(7, 30, 12), features(8, 30, 12)
    wide = [np.pad(clips, ((0, 0), (0, 30))) for clips in (first, second)]
    assert frechet_distance(*wide) == pytest.approx(frechet_distance(first, second), rel=1e-12)


@pytest.mark.parametrize("shape", [(9, 4), (4, 9), (6, 6)])
def test_the_factor_is_a_root_of_the_unbiased_covariance(shape: tuple[int, int]) -> None:
    clips = features(9, *shape)
    factor = covariance_factor(clips)
    assert factor.shape == (min(shape), shape[1])
    np.testing.assert_allclose(factor.T @ factor, np.cov(clips, rowvar=False), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), clips=st.integers(2, 30), width=st.integers(1, 30))
def test_properties(seed: int, clips: int, width: int) -> None:
    first, second = features(seed, clips, width), features(seed + 1, clips, width)
    distance = frechet_distance(first, second)
    scale = (first**2).mean() * width
    assert frechet_distance(first, first) <= 1e-9 * scale
    assert distance == pytest.approx(frechet_distance(second, first), rel=1e-9)
    moved = frechet_distance(first + 3.0, second + 3.0)
    assert moved == pytest.approx(distance, rel=1e-7), "moving both sets changes nothing"
    order = np.random.default_rng(seed).permutation(clips)
    assert frechet_distance(first[order], second) == pytest.approx(distance, rel=1e-7, abs=1e-9 * scale)
    shift = np.full(width, 2.0)
    assert frechet_distance(first, first + shift) == pytest.approx(shift @ shift, rel=1e-6, abs=1e-9 * scale)


def test_inputs_are_left_alone_and_bad_ones_refused() -> None:
    first = features(10, 20, 4)
    kept = first.copy()
    frechet_distance(first, first + 1)
    np.testing.assert_array_equal(first, kept)
    with pytest.raises(ValueError, match="two sets of features"):
        frechet_distance(first, first[:, :3])
    with pytest.raises(ValueError, match="at least two"):
        frechet_distance(first, first[:1])


def test_float32_features_are_computed_in_float64() -> None:
    first, second = (features(11, 2000, 30).astype(np.float32) + 1000, features(12, 2000, 30).astype(np.float32))
    exact = frechet_distance(first.astype(np.float64), second.astype(np.float64))
    assert frechet_distance(first, second) == exact
