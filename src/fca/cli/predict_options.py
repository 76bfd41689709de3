"""The command line of `fca predict`. Quick to import: argparse alone."""

import argparse
from pathlib import Path
from typing import Any


def add_predict(commands: Any) -> None:
    """Add the subcommand to those of `fca`."""
    predict = commands.add_parser(
        "predict",
        help="predict a video from your own pictures and a sentence",
        description="Predict a video from one or two pictures, or the start of a video, and a sentence.",
        epilog="Example: fca predict --frames docs/start.png --prompt 'push red block right' --out next.mp4",
    )
    predict.set_defaults(function=run)
    given = predict.add_argument_group("what is given, and what is made")
    given.add_argument("--frames", nargs="+", type=Path, required=True, metavar="FILE",
                       help="the first frames in order, as many as the model was trained with (the shipped one: 1 or "
                       "2): JPEG, PNG or WebP of any size; or one video, whose first frames are used")  # fmt: skip
    given.add_argument("--prompt", required=True, metavar="TEXT",
                       help="what happens, such as 'push red block left'; where it is too long it is cut off, and "
                       "the part that is read is shown")  # fmt: skip
    given.add_argument("--out", type=Path, required=True, metavar="PATH",
                       help="what to write: .mp4, .webm, .gif, or a name without a suffix for a folder of PNGs; "
                       "replaced where it exists")  # fmt: skip
    given.add_argument("--fps", type=int, default=8, metavar="N", dest="frames_per_second",
                       help="frames in a second of what is written (default: %(default)s)")  # fmt: skip
    sampling = predict.add_argument_group("sampling")
    sampling.add_argument("--negative-prompt", default="", metavar="TEXT",
                          help="what should not happen (default: nothing said)")  # fmt: skip
    sampling.add_argument("--seed", type=int, default=42, metavar="N",
                          help="the same seed gives the same video (default: %(default)s)")  # fmt: skip
    sampling.add_argument("--steps", type=int, metavar="N",
                          help="DDIM steps; fewer are quicker and coarser (default: the model's own)")  # fmt: skip
    sampling.add_argument("--guidance", type=float, metavar="X", dest="guidance_scale",
                          help="weight of the prompt; more where it isn't obeyed, 1 turns guidance off (default: the "
                          "model's own)")  # fmt: skip
    networks = predict.add_argument_group("networks")
    networks.add_argument("--model", type=Path, metavar="FOLDER",
                          help="a trained model, as `fca train` writes it (default: config/pocket-base/adapter, the "
                          "shipped pocket model)")  # fmt: skip
    networks.add_argument("--base", metavar="NAME",
                          help="its CogVideoX checkpoint, a folder or hub name, where that isn't where it was in "
                          "training")  # fmt: skip
    networks.add_argument("--vision-model", metavar="NAME",
                          help="its BLIP-2 checkpoint, likewise (default: the folder vision of --base)")  # fmt: skip
    networks.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32",
                          help="arithmetic; bf16 or fp16 where a GPU has no room (default: %(default)s)")  # fmt: skip
    predict.add_argument("--debug", action="store_true", help="show a traceback with an error")


def run(arguments: argparse.Namespace) -> None:
    """Do it."""
    from fca.cli.predict import predict

    others = ("command", "function", "debug", "argv", "rest")
    predict(**{name: value for name, value in vars(arguments).items() if name not in others})
