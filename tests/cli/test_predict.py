"""`fca predict` with the shipped model: what the README shows, and what it says to mistakes."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fca.cli.main import main
from fca.pretrained.exported import ExportedModel

ROOT = Path(__file__).resolve().parents[2]
START = ROOT / "docs/start.png"
SHIPPED = ROOT / "config/pocket-base/adapter"


def arguments(out: Path, *more: str, frames: tuple[Path, ...] = (START,)) -> list[str]:
    named = ["--frames", *map(str, frames), "--prompt", "push red block left", "--out", str(out)]
    return ["predict", *named, *more]


def run(*command: str, folder: Path) -> subprocess.CompletedProcess:
    source = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=os.environ | source, capture_output=True, text=True)


def test_a_picture_and_a_sentence_become_a_video_in_any_folder(tmp_path: Path) -> None:
    """The shipped model and its networks are found from elsewhere; the long prompt is cut off and said so."""
    command = [sys.executable, "-m", "fca.cli", *arguments(Path("new/next.mp4"), "--steps", "2")]
    command[command.index("--prompt") + 1] = "push red block left over the edge of the table"
    done = run(*command, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "new/next.mp4\n"
    assert "predict: 100%" in done.stderr
    assert "fca predict: the prompt is cut off: T5 reads 16 of its" in done.stderr
    with av.open(str(tmp_path / "new/next.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.stack(frames).shape == (16, 64, 96, 3)


def test_a_picture_that_the_shipped_model_cannot_know_is_said(tmp_path: Path, capsys, monkeypatch) -> None:
    """Whoever tries a photo first must not take the model for broken."""
    from fca.sample.pipeline import FCAPipeline

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(FCAPipeline, "from_pretrained", stop)
    photo, small = tmp_path / "photo.jpg", tmp_path / "small.png"
    with Image.open(START) as start:
        start.resize((640, 480)).save(photo)
        start.resize((96, 64)).save(small)
    ExportedModel.read(SHIPPED).write(tmp_path / "mine")
    mine = ("--model", str(tmp_path / "mine"), "--base", str(SHIPPED.parent))
    told = {}
    for name, path, more in (("photo", photo, ()), ("own", photo, mine), ("small", small, ()), ("start", START, ())):
        assert main(arguments(tmp_path / "o.mp4", *more, frames=(path,))) == 130
        told[name] = "three simulated places" in capsys.readouterr().err
    assert told == {"photo": True, "own": False, "small": False, "start": False}


def test_the_command_and_python_make_the_same_video(tmp_path: Path, capsys) -> None:
    from fca.sample import FCAPipeline
    from fca.seeds import generator

    assert main(arguments(tmp_path / "frames", "--steps", "2", "--seed", "7", "--model", str(SHIPPED))) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'frames'}\n"
    pipeline = FCAPipeline.from_pretrained(SHIPPED)
    random = generator(7, "predict")
    with Image.open(START) as start:
        video = pipeline(start, "push red block left", num_inference_steps=2, generator=random).frames[0]
    for number, path in enumerate(sorted((tmp_path / "frames").iterdir())):
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(video[number]))


def test_mistakes_are_told_before_torch_is_imported(tmp_path: Path) -> None:
    ExportedModel.read(SHIPPED).model_copy(update={"initial_frames": 2}).write(tmp_path)
    two = ("--model", str(tmp_path), "--base", str(SHIPPED.parent))
    commands = {
        "this: no such file": arguments(tmp_path / "o.mp4", frames=(Path("this"),)),
        "3 frames were given": arguments(tmp_path / "o.mp4", frames=(START,) * 3),
        "can't be written as .mov": arguments(tmp_path / "o.mov"),
        "0 sampling steps": arguments(tmp_path / "o.gif", "--steps", "0"),
        "the guidance is 0.5": arguments(tmp_path / "o.gif", "--guidance", "0.5"),
        "0 frames in a second": arguments(tmp_path / "o.gif", "--fps", "0"),
        "no model folder nowhere": arguments(tmp_path / "o.gif", "--model", "nowhere"),
        "model.json is missing": arguments(tmp_path / "o.gif", "--model", str(ROOT / "config")),
        "no folder /no/where": arguments(tmp_path / "o.gif", "--base", "/no/where"),
        "in the model's training: 2": arguments(tmp_path / "o.gif", *two),
        "1 frames were asked for": arguments(tmp_path / "o.gif", "--frames-out", "1"),
        "2 prompts for 1 chunk: 16 frames": arguments(tmp_path / "o.gif", "--prompt", "lift red block"),
        "3 chunks need 32 frames": arguments(tmp_path / "o.gif", "--prompt=a", "--prompt=b", "--frames-out", "31"),
        "the prompt has neither letter nor digit": arguments(
            tmp_path / "o.gif", "--prompt", "...", "--frames-out", "20"
        ),
    }
    lines = [f"assert main({command!r}) == 1" for command in commands.values()]
    lines.append(f"assert main({arguments(tmp_path / 'o.gif', '--seed', '-1')!r}) == 2")
    code = ["import sys", "from fca.cli.main import main", *lines, "assert 'torch' not in sys.modules"]
    done = run(sys.executable, "-c", "\n".join(code), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = done.stderr.split("fca predict: ")[1:]
    for message, expected in zip(told, [*commands, "-1 is not in the range"], strict=True):
        assert expected in message
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def test_a_longer_video_has_a_prompt_for_each_chunk_and_another_scheduler(tmp_path: Path, capsys) -> None:
    """The same video from Python, part by part; each chunk's progress is told."""
    from diffusers import CogVideoXDPMScheduler

    from fca.sample import FCAPipeline
    from fca.seeds import generator

    more = ("--prompt", "lift red block", "--frames-out", "18", "--steps", "2", "--scheduler", "dpm")
    assert main(arguments(tmp_path / "frames", *more)) == 0
    told = capsys.readouterr().err
    assert "fca predict: 18 frames in 2 chunks of up to 16" in told
    assert all(f"predict {number} of 2: 100%" in told for number in (1, 2))
    pipeline = FCAPipeline.from_pretrained(SHIPPED)
    pipeline.scheduler = CogVideoXDPMScheduler.from_config(pipeline.scheduler.config)
    with Image.open(START) as start:
        video = pipeline(
            start, "push red block left", next_prompts=["lift red block"], num_frames=18, num_inference_steps=2,
            generator=generator(42, "predict"),
        ).frames[0]  # fmt: skip
    written = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "frames").iterdir())]
    assert np.array_equal(np.stack(written), np.stack([np.asarray(frame) for frame in video]))
    assert len(written) == 18


@pytest.mark.parametrize("missing", ["--frames", "--prompt", "--out"])
def test_what_must_be_given(tmp_path: Path, capsys, missing: str) -> None:
    given = arguments(tmp_path / "next.mp4")
    position = given.index(missing)
    assert main(given[:position] + given[position + 2 :]) == 2
    assert f"fca predict: Missing option '{missing}'." in capsys.readouterr().err


def test_without_the_shipped_model_that_is_said(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("fca.cli.predict.SHIPPED", Path("config/elsewhere"))
    assert main(arguments(tmp_path / "next.mp4")) == 1
    assert "there is no model folder config/elsewhere" in capsys.readouterr().err
