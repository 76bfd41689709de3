"""A variant's own optimizer settings reach AdamW and its schedule, and its own alone."""

import pytest

from fca.config import Config
from fca.train.trainer import Trainer, new_accelerator
from tests.conftest import small_config

OWN = {
    "learning_rate": 2e-5, "schedule": "constant_with_warmup", "warmup_steps": 4,
    "betas": [0.8, 0.9], "eps": 1e-6, "weight_decay": 0.2, "max_grad_norm": 0.5,
}  # fmt: skip


def trainer(config: Config, variant: str, folder: str) -> Trainer:
    return Trainer(config, "ssv2", variant, 64, new_accelerator(config, folder))


def rates(one: Trainer, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(one.schedule.get_last_lr()[0])
        one.skip()
    return found


@pytest.fixture
def config(tmp_path, random_base) -> Config:
    values = small_config(tmp_path, random_base).model_dump(mode="json")
    values["ablations"]["lora"]["optimizer"] = OWN
    return Config.model_validate(values)


def test_the_variants_own_values(config, tmp_path):
    one = trainer(config, "lora", str(tmp_path))
    (group,) = one.optimizer.param_groups
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.8, 0.9), 1e-6, 0.2)
    assert one.settings.max_grad_norm == 0.5
    assert rates(one, 9) == pytest.approx([0.0, 0.5e-5, 1e-5, 1.5e-5, *[2e-5] * 5])


def test_another_variant_has_those_of_train(config, tmp_path):
    one = trainer(config, "no_ftc", str(tmp_path))
    (group,) = one.optimizer.param_groups
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.95), 1e-8, 1e-4)
    assert rates(one, 3) == pytest.approx([0.0, 2e-3, 0.0])  # one step of warm-up, and one of the cosine
