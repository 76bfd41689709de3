"""A card states what a model is, in the hub's metadata and in words, and is the same for the same configuration."""

import ast
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from fca.config import load
from fca.errors import FcaError
from fca.pretrained.exported import ExportedModel
from fca.pretrained.hub.card import PLACE, Row, Scores, Training, card, named, write_card
from tests.pretrained.hub.models import ROOT, config, write_model

COGVIDEOX = ("other", "cogvideox-license", "https://huggingface.co/THUDM/CogVideoX-5b/blob/main/LICENSE")


def of(settings, variant: str = "fca", scores: Scores | None = None) -> ModelCard:
    """The card of a variant on ssv2, as the hub reads it."""
    exported = ExportedModel.of(settings, "ssv2", variant)
    return ModelCard(card(exported, Training.of(settings, "ssv2", variant), scores))


def test_the_front_matter_says_what_the_hub_shows() -> None:
    settings = config(train={"init_from": None})
    data = of(settings).data.to_dict()
    record = data.pop("fca")
    assert data == {
        "base_model": "THUDM/CogVideoX-2b",
        "base_model_relation": "adapter",
        "library_name": "diffusers",
        "license": "apache-2.0",
        "pipeline_tag": "image-to-video",
        "tags": ["fca", "text-video-prediction", "cogvideox", "diffusers"],
    }
    assert record == {
        "variant": "fca", "adapter": "fca", "dataset": "ssv2", "format": "ssv2", "source": "library",
        "clips": settings.datasets["ssv2"].train.clips, "steps": settings.datasets["ssv2"].train_steps,
        "clips_per_step": settings.train.clips_per_step, "init_from": None, "seed": settings.seed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("base", "expected", "on_the_hub"),
    [
        ("THUDM/CogVideoX-2b", ("apache-2.0", None, None), "THUDM/CogVideoX-2b"),
        ("hub:zai-org/CogVideoX-2b", ("apache-2.0", None, None), "zai-org/CogVideoX-2b"),
        ("THUDM/CogVideoX-5b", COGVIDEOX, "THUDM/CogVideoX-5b"),
        ("THUDM/CogVideoX1.5-5B-I2V", COGVIDEOX, "THUDM/CogVideoX1.5-5B-I2V"),
        ("weights/CogVideoX-2b", ("apache-2.0", None, None), None),
        ("/home/someone/cogvideox1.5-5b-i2v", COGVIDEOX, None),
        ("config/pocket-base", ("apache-2.0", None, None), None),
        ("someone/CogVideoX-2b-finetuned", ("unknown", None, None), "someone/CogVideoX-2b-finetuned"),
        ("weights/mine", ("unknown", None, None), None),
    ],
)
def test_the_licence_follows_the_base_and_only_a_name_on_the_hub_is_a_base_model(base, expected, on_the_hub) -> None:
    found = of(config(base))
    assert (found.data.license, found.data.get("license_name"), found.data.get("license_link")) == expected
    assert found.data.get("base_model") == on_the_hub
    assert base.removeprefix("hub:").rpartition("/")[2] in found.text
    assert "/home/someone" not in found.content
    assert (expected[1] or expected[0]) in found.text


def test_licensed_videos_are_named_and_simulated_ones_are_no_dataset_of_the_hub() -> None:
    licensed = {"source": "archive", "root": "datasets/x", "library": None}
    settings = config(datasets=dict.fromkeys(("ssv2", "bridge", "epic"), licensed))
    found = of(settings)
    assert found.data.datasets == ["something-something-v2"]
    assert "have a licence of their own" in found.text
    simulated = of(config())
    assert simulated.data.get("datasets") is None
    assert "simulated clips in the format ssv2" in simulated.text
    assert "licence of their own" not in simulated.text


def test_a_dataset_of_ones_own_keeps_its_name() -> None:
    settings = load(ROOT / "config" / "pocket-folder.yaml")
    (name,) = settings.datasets
    found = ModelCard(card(ExportedModel.of(settings, name, "fca"), Training.of(settings, name, "fca")))
    assert found.data.datasets == [name]


@pytest.mark.parametrize(
    ("variant", "words"), [("fca", "An adapter of"), ("lora", "LoRA"), ("controlnet_zeros", "A ControlNet of")]
)
def test_the_text_says_what_was_trained(variant, words) -> None:
    found = of(config(), variant)
    assert words in found.text
    assert found.data.tags[-1] == {"fca": "diffusers"}.get(variant, variant.partition("_")[0])


def test_the_example_is_the_one_that_is_promised() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", of(config()).text, re.DOTALL)
    ast.parse(example)
    assert example.splitlines() == [
        "from diffusers.utils import export_to_gif, load_image",
        "from fca import FCAPipeline",
        f'pipe = FCAPipeline.from_pretrained("{PLACE}")',
        'video = pipe(image=load_image("start.png"), prompt="push the red block left").frames[0]',
        'export_to_gif(video, "next.gif", fps=8)',
    ]


def test_a_pushed_card_names_its_repository_and_nothing_else_changes() -> None:
    text = of(config()).content
    pushed = named(text, "me/fca-ssv2")
    assert 'FCAPipeline.from_pretrained("me/fca-ssv2")' in pushed
    assert pushed.replace("me/fca-ssv2", PLACE) == text
    assert named(pushed, r"you/a\1b") == text.replace(PLACE, r"you/a\1b")


ROWS = [
    Row("fvd", "FVD", "fvd_i3d_2048x16f_gt2", 123.456, "123", "110 to 140"),
    Row("psnr", "PSNR", "psnr", 23.9, "23.90 dB", ""),
]


def test_scores_stand_under_their_protocol_names_in_text_and_metadata() -> None:
    found = of(config(), scores=Scores(ROWS, 2048, "i3d", 0.95))
    assert "| `fvd_i3d_2048x16f_gt2` | FVD | 123 | 110 to 140 |" in found.text
    assert "| `psnr` | PSNR | 23.90 dB | – |" in found.text
    assert "2048 validation clips" in found.text
    assert "95% intervals" in found.text
    assert found.data.model_name == "fca-ssv2"
    results = {one.metric_name: (one.metric_type, one.metric_value) for one in found.data.eval_results or []}
    assert results == {"fvd_i3d_2048x16f_gt2": ("fvd", 123.456), "psnr": ("psnr", 23.9)}
    assert {(one.task_type, one.dataset_type) for one in found.data.eval_results} == {
        ("image-to-video", "simulated-ssv2")
    }
    assert "None are recorded" in of(config()).text


def test_the_text_says_commits_frames_and_seed() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    settings = config(revision=commit, seed=77)
    text = of(settings).text
    assert f"`THUDM/CogVideoX-2b` at commit `{commit}`" in text
    assert "| seed | 77 |" in text
    assert f"16 frames of 96x64 pixels, including {settings.datasets['ssv2'].initial_frames} initial" in text


def test_the_same_configuration_gives_the_same_bytes_and_a_folder_alone_is_enough(tmp_path) -> None:
    first, again = write_model(tmp_path / "a"), write_model(tmp_path / "b" / "c")
    before = (first / "README.md").read_bytes()
    assert (again / "README.md").read_bytes() == before
    assert Training.recorded(first) == Training.of(config(), "ssv2", "fca")
    write_card(first, Training.recorded(first))
    assert (first / "README.md").read_bytes() == before


@pytest.mark.parametrize(
    "text", [None, b"# mine\n", b"---\nfca: [1\n---\n", b"---\nlicense: mit\n---\n", b"---\nfca: {seed: 1}\n---\n",
             b"---\n- fca\n---\n", b"---\nfca: 3\n---\n", b"\xff\xfe\x00"],
)  # fmt: skip
def test_a_folder_without_a_record_gets_a_card_that_says_so(tmp_path, text) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "README.md").unlink()
    if text is not None:
        (folder / "README.md").write_bytes(text)
    assert Training.recorded(folder) is None
    found = ModelCard.load(write_card(folder, None))
    assert "doesn't record" in found.text
    assert "fca" not in found.data.to_dict()


def test_only_a_models_folder_gets_a_card(tmp_path) -> None:
    with pytest.raises(FcaError, match=r"model\.json is missing"):
        write_card(tmp_path, None)
    assert not list(Path(tmp_path).iterdir())
