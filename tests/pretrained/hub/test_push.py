"""`fca push` sends a model's own files and nothing else, by the real library to a hub on this machine."""

import json
import os
from pathlib import Path

import pytest
from huggingface_hub import constants, snapshot_download

from fca.cli.main import main
from fca.config.rehearsal import rehearsal
from fca.errors import FcaError
from fca.pretrained.hub.card import named
from fca.pretrained.hub.push import check_name, choose
from tests.hub import TOKEN, Hub
from tests.pretrained.hub.models import WEIGHTS, config, write_model

REPO = "me/fca-ssv2"


@pytest.fixture
def model(tmp_path) -> Path:
    return write_model(tmp_path / "model")


def content(folder: Path, repo: str = REPO) -> dict[str, bytes]:
    """The files of a folder, with the card as it is pushed."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return found | {"README.md": named(found["README.md"].decode(), repo).encode()}


def test_what_is_pushed_is_what_is_downloaded(model, hub: Hub, capsys) -> None:
    before = content(model, "")
    assert main(["push", str(model), REPO]) == 0
    assert hub.repositories[REPO].files() == content(model)
    assert set(content(model)) == {"README.md", "model.json", "config.json", WEIGHTS}
    assert content(model, "") == before, "the folder itself stays as it was"
    assert f"{hub.url}/{REPO}/commit/" in capsys.readouterr().out
    assert not hub.repositories[REPO].private

    fetched = Path(snapshot_download(REPO))
    assert {path.name: path.read_bytes() for path in fetched.iterdir() if path.name != ".gitattributes"} == content(
        model
    )


def test_a_second_push_sends_only_what_changed(model, hub: Hub) -> None:
    assert main(["push", str(model), REPO]) == 0
    (model / "config.json").write_text('{"width": 16}\n')
    hub.asked.clear()
    assert main(["push", str(model), REPO]) == 0
    assert hub.repositories[REPO].files() == content(model)
    assert not [asked for asked in hub.asked if asked.startswith("PUT")]
    hub.asked.clear()
    assert main(["push", str(model), REPO]) == 0
    assert not [asked for asked in hub.asked if "/commit/" in asked]


def test_a_dry_run_lists_the_files_and_asks_nothing(model, hub: Hub, capsys, monkeypatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    (model / "training.json").write_text("{}")
    assert main(["push", str(model), REPO, "--dry-run"]) == 0
    assert hub.asked == []
    printed = capsys.readouterr()
    folder = "config/pocket-base/vision"  # the base is a name on the hub
    assert printed.err == f"fca push: model.json names the folder {folder}, which others need, too\n"
    shown = printed.out.splitlines()
    assert {tuple(line.split()) for line in shown[:4]} == {
        (f"{path.stat().st_size:,}", path.name) for path in model.iterdir() if path.name != "training.json"
    }
    total = sum(path.stat().st_size for path in model.iterdir()) - 2
    assert shown[4].split() == [f"{total:,}", "bytes", "in", "4", "files"]
    assert shown[5].split() == ["left", "out", "training.json:", "no", "file", "of", "a", "model"]


CLIPS = b"a licensed dataset's pixels" * 1000


def test_only_a_models_files_go_along_and_the_others_are_named(model, tmp_path, hub: Hub, capsys) -> None:
    outside = tmp_path / "licensed"
    (outside / "more").mkdir(parents=True)
    for name in ("clip.safetensors", "secret.json", "more/x.json"):
        (outside / name).write_bytes(CLIPS)
    pushed = content(model)
    stay = ["clips-0000.h5", "clip.mp4", "clips/a.png", "clips/b.safetensors", ".cache/token.json", "captions.csv",
            "weights.bin", "transformer/config.json", "training.json", ".env"]  # fmt: skip
    for name in stay:
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(CLIPS)
    (model / "more.safetensors").symlink_to(outside / "clip.safetensors")
    (model / "linked").symlink_to(outside)
    (model / "lost.safetensors").symlink_to(model / "nothing")
    (model / "again.safetensors").symlink_to(WEIGHTS)
    os.mkfifo(model / "pipe.safetensors")

    assert main(["push", str(model), REPO]) == 0
    assert hub.repositories[REPO].files() == pushed | {"again.safetensors": pushed[WEIGHTS]}
    assert not any(CLIPS in stored for files in hub.repositories[REPO].commits.values() for stored in files.values())
    assert hub.received < len(CLIPS) + 2 * len(pushed[WEIGHTS])
    shown = capsys.readouterr().out
    why = dict.fromkeys(stay, "no file of a model") | {
        "more.safetensors": "a link that leads out of the folder", "linked": "a link that leads out of the folder",
        "lost.safetensors": "no regular file", "pipe.safetensors": "no regular file",
    }  # fmt: skip
    assert {line.strip() for line in shown.splitlines() if "left out" in line} == {
        f"left out  {name}: {reason}" for name, reason in why.items()
    }


def test_a_whole_pipeline_goes_with_its_parts(model, hub: Hub) -> None:
    index = {"_class_name": "FCAPipeline", "_diffusers_version": "0", "vae": ["diffusers", "AutoencoderKLCogVideoX"],
             "tokenizer": ["transformers", "T5Tokenizer"]}  # fmt: skip
    (model / "model_index.json").write_text(json.dumps(index))
    for name in ("vae/config.json", "vae/model.safetensors", "tokenizer/spiece.model", "tokenizer/tokenizer.json"):
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(name.encode())
    expected = content(model)
    for name in ("vae/clip.h5", "vae/deeper/config.json", "other/config.json"):
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(CLIPS)
    (model / "scheduler").symlink_to("vae")
    assert choose(model).left_out["scheduler"] == "a link to a folder"
    assert main(["push", str(model), REPO]) == 0
    assert hub.repositories[REPO].files() == expected


def test_a_branch_is_made_and_main_stays_as_it_was(model, hub: Hub) -> None:
    for _ in range(2):
        assert main(["push", str(model), REPO, "--revision", "v1"]) == 0
    assert hub.repositories[REPO].files("v1") == content(model)
    assert hub.repositories[REPO].files("main") == {}


def test_private_makes_a_private_repository_and_never_sends_to_a_public_one(model, hub: Hub, capsys) -> None:
    assert main(["push", str(model), REPO, "--private"]) == 0
    assert hub.repositories[REPO].private
    assert main(["push", str(model), REPO, "--private"]) == 0
    hub.add("me/open", {})
    assert main(["push", str(model), "me/open", "--private"]) == 1
    assert "me/open exists and is public, so nothing was sent" in capsys.readouterr().err
    assert hub.repositories["me/open"].files() == {}


@pytest.mark.parametrize(
    ("refused", "status", "message"),
    [
        ("repos/create", 401, "the hub answered 401"),
        ("repos/create", 403, "the token may not write to me/fca-ssv2"),
        ("repos/create", 404, "me/fca-ssv2 isn't there"),
        ("repos/create", 500, "the hub answered 500"),
        ("repos/create", 503, "run the same command again"),
        ("preupload", 403, "the token may not write to me/fca-ssv2"),
        ("preupload", 404, "me/fca-ssv2 isn't there"),
        ("PUT /large", 403, "the hub answered 403"),
        ("/commit/", 429, "the hub answered 429"),
        ("/commit/", 412, "the hub answered 412"),
    ],
)
def test_a_refusal_is_explained(model, hub: Hub, capsys, refused, status, message) -> None:
    hub.refuse[refused] = status
    assert main(["push", str(model), REPO, "--debug"]) == 1
    shown = capsys.readouterr()
    assert message in shown.err.split("fca push: ")[-1]
    assert "as the test wants it" in shown.err.split("fca push: ")[-1]
    assert TOKEN not in shown.out + shown.err


@pytest.mark.parametrize("token", ["hf_AnotherToken", "", "hf_caf\xe9", "hf_a\x01b"])
def test_a_token_that_is_missing_or_wrong_is_explained_and_never_shown(
    model, hub: Hub, capsys, monkeypatch, token
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert main(["push", str(model), REPO, "--debug"]) == 1
    shown = capsys.readouterr()
    assert "`hf auth login`" in shown.err
    assert not token or token not in shown.out + shown.err
    assert hub.repositories == {}


def test_without_a_network_the_error_says_so(model, hub: Hub, capsys, monkeypatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    assert main(["push", str(model), REPO]) == 1
    assert "the Hugging Face hub can't be reached" in capsys.readouterr().err
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["push", str(model), REPO]) == 1
    assert "HF_HUB_OFFLINE is set" in capsys.readouterr().err


def test_a_card_that_the_hub_refuses_is_explained_before_anything_is_sent(model, hub: Hub, capsys) -> None:
    (model / "README.md").write_text("---\nlicense: [1\n---\n")
    assert main(["push", str(model), REPO]) == 1
    shown = capsys.readouterr().err
    assert "the hub refuses the metadata of README.md: ParserError: while parsing a flow sequence" in shown
    assert "`fca card MODEL`" in shown
    assert hub.repositories[REPO].files() == {}
    assert not hub.large


@pytest.mark.parametrize(
    "name", ["fca", "me/", "/fca", "me/fca/ssv2", "me/fca ssv2", "me/-x", "me/a..b", "", "a/x.git"]
)
def test_a_malformed_name_is_refused_before_anything_else(model, hub: Hub, capsys, name) -> None:
    assert main(["push", str(model), "--dry-run", "--", name]) == 1
    assert f"{name!r} can't be a repository's name" in capsys.readouterr().err
    assert hub.asked == []
    check_name(REPO)


@pytest.mark.parametrize(
    ("lost", "message"),
    [("model.json", r"model\.json is missing"), ("README.md", r"has no README\.md"), (WEIGHTS, "has no weights")],
)
def test_a_folder_that_lacks_something_is_refused(model, lost, message) -> None:
    (model / lost).rename(model.parent / lost)
    with pytest.raises(FcaError, match=message):
        choose(model)
    if lost != WEIGHTS:  # a link to one outside is none
        (model / lost).symlink_to(model.parent / lost)
        with pytest.raises(FcaError, match=f"has no {lost}"):
            choose(model)


def test_a_rehearsals_model_says_so_and_is_not_pushed(tmp_path) -> None:
    folder = write_model(tmp_path / "model", rehearsal(config(), variants=["fca"]))
    assert "A rehearsal, not a result." in (folder / "README.md").read_text()
    with pytest.raises(FcaError, match="is of a rehearsal"):
        choose(folder)


def test_there_is_no_such_folder(tmp_path, capsys) -> None:
    assert main(["push", str(tmp_path / "nothing"), REPO, "--dry-run"]) == 1
    assert "there is no model folder" in capsys.readouterr().err
