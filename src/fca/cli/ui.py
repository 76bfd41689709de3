"""`fca ui`: a page to try models on."""

import os
from pathlib import Path

import click

from fca.cli.common import PATH, Command
from fca.errors import FcaError


@click.command(cls=Command, example="fca ui --model data/pocket/bridge/models/fca")
@click.option("--model", type=PATH, metavar="FOLDER", help="A model trained by `fca train`, next to those found.")
@click.option("-c", "--config", "configurations", type=PATH, multiple=True, metavar="FILE",
              help="Offer the models that this configuration has trained; may be repeated (default: "
                   "config/pocket.yaml, if it is there).")  # fmt: skip
@click.option("--precision", type=click.Choice(["fp32", "bf16", "fp16"]), default="fp32",
              help="Arithmetic; take bf16 or fp16 if the GPU memory is too small.")  # fmt: skip
@click.option("--host", default="127.0.0.1", metavar="ADDRESS",
              help="Address to listen on. Others than this machine can use the page only if you name another one, and "
                   "then everybody who reaches it can.")  # fmt: skip
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="N", help="Port (default: the first free one from 7860)."
)
@click.option("--open/--no-open", "open_browser", default=True, help="Open a browser.")
def ui(
    model: Path | None,
    configurations: tuple[Path, ...],
    precision: str,
    host: str,
    port: int | None,
    open_browser: bool,
) -> None:
    """Try models in a browser: a start, a sentence, and the predictions play.

    Needs the extra `ui`: pip install '.[ui]' in a clone, or `make ui-env`.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise FcaError(
            "gradio is not installed", "the extra `ui`", "pip install '.[ui]' in a clone, or `make ui-env`"
        ) from error

    from fca.ui.app import build, served
    from fca.ui.predictor import Predictor, known_models

    own = Path("config/pocket.yaml")
    models = known_models(model, configurations or ([own] if own.is_file() else []))
    served(build(Predictor(models, precision)), host, port, inbrowser=open_browser)
