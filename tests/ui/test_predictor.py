"""What `fca ui` computes is what `fca predict` computes, and mistakes are found before anything is loaded."""

from pathlib import Path

import numpy as np
import pytest

from fca.config import Layout
from fca.errors import FcaError
from fca.sample.pipeline import FCAPipeline
from fca.seeds import generator
from fca.ui import predictor as module
from fca.ui.predictor import Predictor, known_models
from fca.video.write import write_video
from tests.conftest import small_config
from tests.sample.exported import picture, write_model


@pytest.fixture
def start(tmp_path: Path) -> Path:
    path = tmp_path / "start.png"
    picture(320, 240).save(path)
    return path


@pytest.fixture
def predictor(model: Path) -> Predictor:
    return Predictor({"mine": model})


def test_each_sentence_and_seed_makes_the_pipelines_own_video(predictor, model, start, tmp_path):
    shares = []
    sentences = ["lift blue cup", "look left"]
    made = predictor.predict(
        "mine", [start], sentences, [7, 8], tmp_path, steps=2, progress=lambda *at: shares.append(at)
    )
    found = list(made)
    assert [(prompt, seed) for prompt, seed, _ in found] == [(prompt, seed) for prompt in sentences for seed in (7, 8)]
    expected = FCAPipeline.from_pretrained(model)(
        image=picture(320, 240), prompt="look left", generator=generator(7, "predict"), output_type="np",
        num_inference_steps=2,
    ).frames[0]  # fmt: skip
    write_video((expected * 255).round().astype(np.uint8), tmp_path / "expected.mp4", module.FRAMES_PER_SECOND)
    assert found[2][2].read_bytes() == (tmp_path / "expected.mp4").read_bytes()
    assert len({path.read_bytes() for _, _, path in found}) == 4
    assert [share for share, _ in shares] == pytest.approx([0, *(step / 8 for step in range(1, 9))])
    assert shares[-1][1] == "video 4 of 4, step 2 of 2"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"pictures": []}, "no initial frame"),
        ({"prompts": ["", " "]}, "no sentence"),
        ({"prompts": ["a\0b"]}, "prompt"),
        ({"steps": 0}, "steps"),
        ({"pictures": "damaged"}, "damaged.png"),
    ],
)
def test_mistakes_are_found_before_a_network_is_loaded(predictor, start, tmp_path, monkeypatch, change, problem):
    monkeypatch.setattr(FCAPipeline, "from_pretrained", lambda *_, **__: pytest.fail("it was loaded"))
    asked = {"pictures": [start], "prompts": ["look left"], "seeds": [1], "steps": 2} | change
    if asked["pictures"] == "damaged":
        asked["pictures"] = [tmp_path / "damaged.png"]
        asked["pictures"][0].write_bytes(start.read_bytes()[:200])
    with pytest.raises(FcaError, match=problem):
        next(predictor.predict("mine", folder=tmp_path, **asked))


def test_the_last_model_stays_and_another_takes_its_place(model, random_base, tmp_path):
    write_model(tmp_path / "other", random_base)
    predictor = Predictor({"mine": model, "other": tmp_path / "other"})
    first = predictor.pipeline("mine")
    assert predictor.pipeline("mine") is first
    assert predictor.pipeline("other") is not first


def test_models_are_found_where_trainings_export_them(random_base, tmp_path, monkeypatch):
    config = small_config(tmp_path, random_base)
    monkeypatch.setattr(module, "load", lambda path: config)
    write_model(Layout(config).model("bridge", "fca"), random_base)
    extra = tmp_path / "extra"
    assert list(known_models(extra, [Path("config/pocket.yaml")])) == [
        str(extra), "pocket, bridge, fca", "pocket, as shipped",
    ]  # fmt: skip
