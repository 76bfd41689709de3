"""The environment of the real `lerobot` package, which `make lerobot-env` makes; its scripts call `prepare` first.

    python environment.py       check that the package can be imported and that it decodes with torchcodec

Two things differ from an installation as lerobot's metadata asks for, both for the CPU build of torch that this project
pins. The wheel of torchvision has CUDA libraries, so its operators are declared and not loaded. torchcodec brings no
FFmpeg; it uses the one in PyAV's wheel, through links that have the names which torchcodec asks for.
"""

import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path

FFMPEG = Path(sys.prefix) / "lib" / "ffmpeg"
V21 = Path(sys.prefix) / "v21"
"""Here is lerobot 0.3.3, the last that writes datasets of version v2.1."""
OFFICIAL = Path(__file__).resolve().parents[2] / "src" / "fca" / "vbench" / "official.py"
HASHED = re.compile(r"(lib(?:av|sw)[a-z]+)-[0-9a-f]+(\.so\.\d+)[.\d]*")
ADDRESS = "local/real"
_KEPT: list[object] = []
"""What must live as long as the process: the cache, and the declarations of operators."""


def prepare(version: str = "v3.0") -> None:
    """Make the package of this version of datasets importable: offline, with FFmpeg, with a cache of its own.

    Starts the script again if the dynamic linker doesn't know FFmpeg's folder yet, as it reads its variable only once.
    """
    folders = [str(FFMPEG), str(_libraries_of_av())]
    known = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    if not set(folders) <= set(known):
        os.environ["LD_LIBRARY_PATH"] = ":".join([*folders, *filter(None, known)])
        _link_ffmpeg()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

    cache = tempfile.TemporaryDirectory(prefix="lerobot-")
    _KEPT.append(cache)
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": cache.name, "SVT_LOG": "1", "TOKENIZERS_PARALLELISM": "false"}
    if version == "v2.1":
        sys.path.insert(0, str(V21))
    _declare_torchvision()


def _libraries_of_av() -> Path:
    spec = importlib.util.find_spec("av")
    if spec is None or spec.origin is None:
        sys.exit(f"{sys.executable} has no PyAV: run `make lerobot-env`, and use .venv-lerobot/bin/python")
    return Path(spec.origin).parents[1] / "av.libs"


def _link_ffmpeg() -> None:
    """libavcodec.so.61 -> libavcodec-7ee0753d.so.61.19.101 and so on."""
    FFMPEG.mkdir(parents=True, exist_ok=True)
    for library in sorted(_libraries_of_av().iterdir()):
        if found := HASHED.fullmatch(library.name):
            link = FFMPEG / f"{found[1]}{found[2]}"
            if not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(library)


def _declare_torchvision() -> None:
    spec = importlib.util.spec_from_file_location("official", OFFICIAL)
    assert spec is not None
    assert spec.loader is not None
    official = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(official)
    official.declare_torchvision()
    _KEPT.append(official)


def main() -> None:
    prepare()
    from importlib.metadata import version

    import lerobot.datasets.lerobot_dataset as module
    import torchcodec.decoders

    print("lerobot", version("lerobot"), module.CODEBASE_VERSION, "torchcodec", version("torchcodec"))
    print("decodes by", module.get_safe_default_codec(), torchcodec.decoders.VideoDecoder.__name__)


if __name__ == "__main__":
    main()
