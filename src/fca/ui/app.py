"""The page of `fca ui`, by gradio."""

import functools
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from fca.config.shipped import located
from fca.data.library.clips import Clip, read_clips
from fca.errors import FcaError
from fca.sample.media import read_start
from fca.ui.predictor import MOST_STEPS, MOST_VIDEOS, Predictor

LIBRARY = Path("config/pocket-clips")
LARGEST_UPLOAD = "20mb"
HEIGHT = 240  # of pictures and videos, in pixels
PICTURES = [".jpg", ".jpeg", ".png", ".webp", ".mp4", ".webm", ".gif", ".avi", ".mov", ".mkv"]
TITLE = "FCA: the rest of the video, from its first frames and a sentence"
HELP = (
    "Take an example or upload one picture, two pictures in order, or a video whose start is used. "
    "The shipped pocket model only knows simulated places like those of the examples, at 96x64 pixels."
)


def examples() -> dict[str, tuple[Path, str, str]]:
    """Clips of the library that no training has seen, by caption: video, caption, opposite caption (or nothing).

    Those with an opposite come first.
    """
    try:
        clips: Sequence[Clip] = read_clips(LIBRARY)
    except FcaError:  # installed without the library
        return {}
    found: dict[str, tuple[Path, str, str]] = {}
    for clip in sorted(clips, key=lambda clip: clip.opposite is None):
        if clip.split == "validation":
            found.setdefault(clip.caption, (located(LIBRARY) / clip.file, clip.caption, clip.opposite or ""))
    return found


def build(predictor: Predictor) -> gr.Blocks:
    """The page: choices on the left, one video for each sentence and seed on the right."""
    known = examples()
    first = next(iter(predictor.models))

    with gr.Blocks(title="FCA", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gr.Markdown(f"# {TITLE}\n\n{HELP}")
        with gr.Row():
            with gr.Column(scale=1):
                example = gr.Dropdown(list(known), label="Example", value=None, visible=bool(known))
                files = gr.File(label="Initial frames", file_count="multiple", file_types=PICTURES, height=120)
                sentence = gr.Textbox(label="Sentence", placeholder="open the blue laptop")
                other = gr.Textbox(
                    label="Another sentence from the same start", placeholder="its opposite; may be empty"
                )
                model = gr.Dropdown(list(predictor.models), value=first, label="Model")
                with gr.Row():
                    seed = gr.Number(42, label="First seed", precision=0, minimum=0, maximum=2**32 - 1 - MOST_VIDEOS)
                    count = gr.Slider(1, MOST_VIDEOS, value=1, step=1, label="Seeds")
                settings = predictor.exported(first)
                steps = gr.Slider(1, MOST_STEPS, value=settings.steps, step=1, label="Sampling steps")
                guidance = gr.Slider(1, 10, value=settings.guidance_scale, step=0.5, label="Guidance (1: off)")
                button = gr.Button("Predict", variant="primary")
            with gr.Column(scale=2):
                start = gr.Image(label="The last initial frame", height=HEIGHT, interactive=False, buttons=[])
                videos = []
                for row in range(MOST_VIDEOS):
                    with gr.Row():
                        videos += [_player(visible=row + column == 0) for column in range(2)]

        example.input(lambda name: _chosen(known, name), example, [files, sentence, other])
        model.change(lambda name: _defaults(predictor, name), model, [steps, guidance])
        files.change(lambda paths, name: _started(predictor, paths, name), [files, model], start)
        inputs = [model, files, sentence, other, seed, count, steps, guidance]
        run = functools.partial(_predicted, predictor)
        gr.on([button.click, sentence.submit, other.submit], run, inputs, videos, concurrency_limit=1)
    return page


def _player(visible: bool) -> gr.Video:
    return gr.Video(label="Prediction", autoplay=True, loop=True, height=HEIGHT, visible=visible, buttons=["download"])


def _chosen(known: dict[str, tuple[Path, str, str]], name: str) -> tuple[list[str], str, str]:
    path, caption, opposite = known[name]
    return [str(path)], caption, opposite


def _defaults(predictor: Predictor, name: str) -> tuple[int, float]:
    exported = _worded(lambda: predictor.exported(name))
    return exported.steps, exported.guidance_scale


def _started(predictor: Predictor, paths: Sequence[str] | None, name: str) -> Any:
    """The frame from which the prediction goes on; what can't be read is said at once."""
    if not paths:
        return None
    return _worded(lambda: read_start([Path(path) for path in paths], predictor.exported(name))[-1])


def _predicted(
    predictor: Predictor,
    model: str,
    paths: Sequence[str] | None,
    sentence: str,
    other: str,
    seed: float,
    count: float,
    steps: float,
    guidance: float,
    progress: gr.Progress = gr.Progress(),  # noqa: B008, gradio finds it by its default
) -> Iterator[list[Any]]:
    """Fill the videos one by one; those that aren't needed are hidden."""
    seeds = [int(seed) + number for number in range(int(count))]
    shown = [gr.Video(visible=False, value=None) for _ in range(2 * MOST_VIDEOS)]
    pictures = [Path(path) for path in paths or []]
    columns = 2 if sentence.strip() and other.strip() else 1  # a row has the sentences from one seed
    with tempfile.TemporaryDirectory(prefix="fca-ui-") as folder:  # what is shown is in gradio's cache by then
        made = predictor.predict(
            model, pictures, [sentence, other], seeds, Path(folder), int(steps), float(guidance), progress
        )
        for number in range(columns * len(seeds)):
            prompt, used, path = _worded(lambda: next(made))
            column, row = divmod(number, len(seeds))
            place = 2 * row + column if columns == 2 else row
            shown[place] = gr.Video(value=str(path), label=f"{prompt} (seed {used})", visible=True)
            yield shown


def _worded(work: Callable[[], Any]) -> Any:
    """The result of `work`; what is wrong, or not as asked, is shown on the page."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: gr.Warning(str(message))
            return work()
    except FcaError as error:
        raise gr.Error(_briefly(error), title="It can't be done", duration=None, print_exception=False) from error


def _briefly(error: FcaError) -> str:
    """What is wrong, without the folder that an upload came into."""
    return re.sub(r"\S*/gradio/[0-9a-f]+/", "", str(error))


def served(page: gr.Blocks, host: str, port: int | None, **how: Any) -> Any:
    """Serve a page: uploads of at most 20 MB, one prediction at a time, at most 16 in the queue."""
    return page.queue(max_size=16, api_open=False).launch(
        server_name=host,
        server_port=port,
        max_file_size=LARGEST_UPLOAD,
        share=False,
        allowed_paths=[str(located(LIBRARY))],
        **how,
    )
