"""Run the official VBench functions on video files. A script of VBench's own environment, which has no `fca`.

    python -P official.py request.json answer.json      score what the request names
    python -P official.py --check                       check that the package can be imported

`fca.vbench.step` writes the request and reads the answer. Each `load_...` below reproduces the `compute_...` function
of its dimension in vbench 0.1.5, with weights from named files instead of torch.hub, wget or a cache; then the official
function scores the videos. An audit hook refuses network connections and other programs.

The request: {"device", "dimensions": [...], "weights": {dimension: {"path", "sha256" or null}},
"clips": [{"id", "path", "prompt", "frames", "sha256" of the pixels or null}]}. The answer: {"rows": [{"id", dimension:
score, ...}], "package_means": {dimension: the package's own mean}, "weights": {file name: sha256}, "versions"}, or
{"refused": [problem, expectation, remedy]} with exit status 3.
"""

import contextlib
import ctypes
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REFUSED = 3
BLOCKED = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec")
LIST_LIBRARIES = ["/sbin/ldconfig", "-p"]
VIDEO = ("decord", "opencv-python-headless")
PACKAGES = ("vbench", "torch", "torchvision", "timm", "pyiqa", "openai-clip", *VIDEO, "numpy")
KEPT: list[Any] = []
"""References that keep declarations of operators alive."""
BPE = "bpe_simple_vocab_16e6.txt.gz"
BPE_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"


class Refused(Exception):
    """An error that the user can fix: (problem, expectation, remedy)."""


def block_network() -> None:
    """Permanently refuse every connection and every other program (vbench calls wget and git).

    But not `ldconfig -p`, by which Python looks for a library: torch's builds for CUDA do when they are imported.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen" and list(arguments[1]) == LIST_LIBRARIES:
            return
        if event in BLOCKED:
            raise RuntimeError(f"VBench may not use the network or other programs: {event} {arguments[:2]}")

    sys.addaudithook(hook)


def prepare_imports(cache: Path) -> None:
    """Make the package importable offline: tokenizer file, stand-ins for compiled parts of torchvision, no hub.

    Importing `vbench.overall_consistency` downloads a tokenizer file unless $VBENCH_CACHE_DIR contains it; openai-clip
    ships the same file. `cache` is an empty folder for it.
    """
    spec = importlib.util.find_spec("clip")
    source = Path(str(spec.origin)).with_name(BPE) if spec else Path()
    if sha256_of(source) != BPE_SHA256:
        raise Refused(f"{source} is not CLIP's vocabulary", f"sha256 {BPE_SHA256}", "run `make vbench-env` again")
    (cache / "ViCLIP").mkdir()
    shutil.copy(source, cache / "ViCLIP" / BPE)
    os.environ |= {"VBENCH_CACHE_DIR": str(cache), "TORCH_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
    declare_torchvision()


def declare_torchvision() -> None:
    """Declare torchvision's operators if its library can't load, as with a CUDA torchvision and a CPU torch.

    VBench uses only the parts in Python, which can be imported if the names of the operators exist.
    """
    import torch

    spec = importlib.util.find_spec("torchvision")
    library = next(Path(str(spec.origin)).parent.glob("_C*"), None) if spec else None
    with contextlib.suppress(OSError):
        if library:
            ctypes.CDLL(str(library))
            return
    operators = torch.library.Library("torchvision", "DEF")
    operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    operators.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    KEPT.append(operators)


def sha256_of(path: Path | str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_weights(wanted: dict[str, dict[str, str | None]]) -> dict[str, str]:
    """File name -> sha256 of the verified files. AMT's is unpickled, so its expected sha256 is required."""
    found = {}
    for dimension, entry in wanted.items():
        path = Path(str(entry["path"]))
        actual, expected = sha256_of(path), entry["sha256"]
        found[path.name] = actual
        if expected is None and dimension == "motion_smoothness":
            raise Refused(
                f"{path} is a pickle, which can run code when it is loaded; its sha256 is {actual}",
                "its expected sha256",
                f"if you trust the file, add `{path.name}: {actual}` to score.vbench.sha256",
            )
        if expected is not None and not actual.startswith(expected):
            raise Refused(
                f"{path} has sha256 {actual}", expected, "download the file again from its address in docs/scores.md"
            )
    return found


def check_clip(clip: dict[str, Any]) -> None:
    """Check that both of VBench's readers get every frame, and the exact pixels if the request has their hash."""
    import cv2
    import decord
    import numpy as np

    path = clip["path"]
    remedy = "run the same command again; if the error persists, the disk or the video libraries are faulty"
    try:
        decord.bridge.set_bridge("native")
        by_decord = decord.VideoReader(path, num_threads=1)[:].asnumpy()
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise Refused(f"{clip['id']}: {path} can't be read ({reason})", "an undamaged video", remedy) from error

    opened, by_opencv = cv2.VideoCapture(path), []
    while (got := opened.read())[0]:
        by_opencv.append(cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB))
    opened.release()

    for reader, frames in (("decord", by_decord), ("OpenCV", np.array(by_opencv))):
        if len(frames) != clip["frames"]:
            problem = f"{clip['id']}: {reader} reads {len(frames)} frames of {path}"
            raise Refused(problem, f"{clip['frames']} frames", remedy)
        if clip["sha256"] and hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest() != clip["sha256"]:
            raise Refused(
                f"{clip['id']}: {reader} reads different pixels from {path}", "the pixels that were written", remedy
            )


Videos = list[dict[str, Any]]
Result = tuple[float, list[dict[str, Any]]]


def _paths(clips: Videos) -> list[str]:
    return [clip["path"] for clip in clips]


def load_temporal_flickering(weights: str, device: Any) -> Callable[[Videos], Result]:
    from vbench.temporal_flickering import temporal_flickering

    return lambda clips: temporal_flickering(_paths(clips))


def load_background_consistency(weights: str, device: Any) -> Callable[[Videos], Result]:
    import clip
    from vbench.background_consistency import background_consistency

    model, preprocess = clip.load(weights, device=device)
    return lambda clips: background_consistency(model, preprocess, _paths(clips), device, False)


def load_subject_consistency(weights: str, device: Any) -> Callable[[Videos], Result]:
    import torch
    from vbench.subject_consistency import subject_consistency

    sys.path.append(str(Path(__file__).parent))  # last, so that no module here hides one of the package
    from dino import dino

    model = dino(torch.load(weights, map_location="cpu", weights_only=True)).to(device)
    return lambda clips: subject_consistency(model, _paths(clips), device, False)


def load_motion_smoothness(weights: str, device: Any) -> Callable[[Videos], Result]:
    import vbench
    from vbench.motion_smoothness import MotionSmoothness, motion_smoothness

    config = Path(vbench.__file__).parent / "third_party/amt/cfgs/AMT-S.yaml"
    with unpickling():
        motion = MotionSmoothness(str(config), weights, device)
    return lambda clips: motion_smoothness(motion, _paths(clips))


def load_imaging_quality(weights: str, device: Any) -> Callable[[Videos], Result]:
    from pyiqa.archs.musiq_arch import MUSIQ
    from vbench.imaging_quality import technical_quality

    model = MUSIQ(pretrained_model_path=weights)
    model.to(device)
    model.training = False  # as the package does
    return lambda clips: technical_quality(model, _paths(clips), device)


def load_overall_consistency(weights: str, device: Any) -> Callable[[Videos], Result]:
    from vbench.overall_consistency import overall_consistency
    from vbench.third_party.ViCLIP.simple_tokenizer import SimpleTokenizer
    from vbench.third_party.ViCLIP.viclip import ViCLIP

    tokenizer = SimpleTokenizer(os.path.join(os.environ["VBENCH_CACHE_DIR"], "ViCLIP", BPE))
    model = ViCLIP(tokenizer=tokenizer, pretrain=weights).to(device)

    def score(clips: Videos) -> Result:
        asked = [{"prompt": clip["prompt"], "video_list": [clip["path"]]} for clip in clips]
        return overall_consistency(model, asked, tokenizer, device)

    return score


LOADERS = {
    "background_consistency": load_background_consistency,
    "imaging_quality": load_imaging_quality,
    "motion_smoothness": load_motion_smoothness,
    "overall_consistency": load_overall_consistency,
    "subject_consistency": load_subject_consistency,
    "temporal_flickering": load_temporal_flickering,
}
PER_CLIP_UNIT = {"imaging_quality": 100.0}
"""The package divides its mean by this, and so are the rows."""


@contextlib.contextmanager
def unpickling() -> Iterator[None]:
    """Let torch.load read more than tensors, for AMT's file with its configuration; its sha256 is verified before."""
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"]


def score(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request (see above), with one row per clip in the request's order."""
    import torch

    used = check_weights({name: entry for name, entry in request["weights"].items() if name in request["dimensions"]})
    if request["device"] == "cuda" and not torch.cuda.is_available():
        raise Refused("there is no CUDA device", "a GPU", "set score.vbench.device: cpu")
    device, clips = torch.device(request["device"]), request["clips"]
    for clip in clips:
        check_clip(clip)

    rows: list[dict[str, Any]] = [{"id": clip["id"]} for clip in clips]
    means = {}
    for dimension in request["dimensions"]:
        print(f"vbench: {dimension}, {len(clips)} clips", file=sys.stderr)
        torch.manual_seed(0)
        weights = str(request["weights"].get(dimension, {}).get("path"))
        with torch.no_grad():
            mean, results = LOADERS[dimension](weights, device)(clips)
        if [result["video_path"] for result in results] != _paths(clips):
            raise RuntimeError(f"{dimension}: {len(results)} results for {len(clips)} clips")
        for row, result in zip(rows, results, strict=True):
            row[dimension] = float(result["video_results"]) / PER_CLIP_UNIT.get(dimension, 1.0)
        means[dimension] = float(mean)
    return {"rows": rows, "package_means": means, "weights": used, "versions": versions()}


def versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def check() -> None:
    """Import the modules of all dimensions."""
    for dimension in LOADERS:
        importlib.import_module(f"vbench.{dimension}")
    print(", ".join(f"{name} {version}" for name, version in versions().items()))


def main(arguments: list[str]) -> int:
    block_network()
    with tempfile.TemporaryDirectory(prefix="vbench-") as cache:
        if arguments == ["--check"]:
            prepare_imports(Path(cache))
            check()
            return 0
        request, answer = map(Path, arguments)
        try:
            prepare_imports(Path(cache))
            result = score(json.loads(request.read_text(encoding="utf-8")))
        except Refused as refused:
            answer.write_text(json.dumps({"refused": refused.args}), encoding="utf-8")
            return REFUSED
        answer.write_text(json.dumps(result), encoding="utf-8")
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
