"""What `fca doctor` asks the machine: packages, devices, attention backends, decoders, Snakemake."""

import os
import platform
import shutil
import sys
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from fca import __version__
from fca.artifacts.cores import own_cores
from fca.doctor.finding import Finding
from fca.errors import first_line
from fca.runs import memory

SHOWN = ("torch", "diffusers", "transformers", "accelerate", "peft", "huggingface-hub", "numpy")
DECODED = ("h264", "hevc", "vp9", "av1", "mpeg4")
ENCODED = ("libx264", "libvpx-vp9")
DRIVER = Path("/proc/driver/nvidia/version")
EXECUTOR = "snakemake-executor-plugin-"


def versions() -> list[Finding]:
    """FCA's own version, and those of the packages that it needs, compared with the ones that it allows."""
    system = f"Python {platform.python_version()} in {sys.prefix}, {platform.system()} {platform.machine()}"
    shown = ", ".join(f"{name} {found}" for name in SHOWN if (found := _version(name)))
    return [Finding("fca", f"{__version__}, {system}"), Finding("packages", shown), *_unsuitable()]


def _unsuitable() -> Iterator[Finding]:
    """Required packages that are missing or have another version than the ones allowed."""
    try:
        required = [Requirement(line) for line in metadata.requires("fca-tvp") or ()]
    except metadata.PackageNotFoundError:
        yield Finding(
            "fca's requirements", "unknown", remedy="`make install`, or `pip install .` in a clone, to check versions"
        )
        return
    for one in required:
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        found = _version(one.name)
        if found is None or not one.specifier.contains(found, prereleases=True):
            wanted = f"{one.name}{one.specifier}"
            problem = f"fca needs {wanted}"
            yield Finding(one.name, found or "not installed", problem, f"pip install '{wanted}'")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def devices() -> list[Finding]:
    """Cores, memory and its limits, GPUs with their memory, and the attention backends that work."""
    total, free = memory.total(), memory.available()
    limits = ", ".join(f"limit of {name} {_gib(size)}" for name, size in memory.limits().items())
    size = f"{_gib(free)} of {_gib(total)} free" if total and free else "memory unknown"
    own = Finding("CPU", ", ".join(filter(None, [f"{own_cores()} cores", size, limits])))
    try:
        import torch
    except (ImportError, OSError) as error:
        return [own, Finding("torch", "can't be imported", first_line(error), "install it again: docs/cluster.md")]

    cuda = torch.version.cuda
    if torch.cuda.is_available():
        gpus = [_gpu(number) for number in range(torch.cuda.device_count())]
        gpus.append(Finding("CUDA", f"{cuda}, cuDNN {torch.backends.cudnn.version()}"))
    elif DRIVER.exists():
        problem = "there is an NVIDIA driver, but torch finds no GPU"
        problem += ": it was built without CUDA" if cuda is None else f": it was built for CUDA {cuda}"
        remedy = "install a torch built for the driver's CUDA (`nvidia-smi` shows it), and check CUDA_VISIBLE_DEVICES"
        gpus = [Finding("GPU", "not usable", problem, remedy)]
    else:
        gpus = [Finding("GPU", "none: the pocket scale needs none, the paper's does")]
    return [own, *gpus, _attention()]


def _gpu(number: int) -> Finding:
    import torch

    name, (major, minor) = torch.cuda.get_device_name(number), torch.cuda.get_device_capability(number)
    try:
        free, total = torch.cuda.mem_get_info(number)
        torch.ones(1, device=f"cuda:{number}").add_(1).item()
    except RuntimeError as error:
        built = ", ".join(torch.cuda.get_arch_list())
        remedy = f"free it, or install a torch built for sm_{major}{minor} (this one: {built})"
        return Finding(f"GPU {number}", name, first_line(error), remedy)
    kinds = "bf16" if major >= 8 else "no bf16: set precision to fp16"
    return Finding(f"GPU {number}", f"{name}, {_gib(free)} of {_gib(total)} free, sm_{major}{minor}, {kinds}")


def _attention() -> Finding:
    """Backends of scaled dot-product attention that compute something here."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    place = "cuda" if torch.cuda.is_available() else "cpu"
    states = torch.zeros(1, 2, 8, 64, device=place, dtype=torch.float16 if place == "cuda" else torch.float32)
    working = []
    for name in ("FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION", "MATH"):
        backend = getattr(SDPBackend, name, None)
        try:
            with warnings.catch_warnings(action="ignore"), sdpa_kernel([backend]):
                scaled_dot_product_attention(states, states, states)
        except (RuntimeError, AssertionError, AttributeError):
            continue
        working.append(name.removesuffix("_ATTENTION").lower())
    slow = place == "cuda" and working == ["math"]
    problem = "only the slow one works: attention takes much more memory" if slow else ""
    return Finding("attention", f"{', '.join(working)} on {place}", problem, "install a newer torch" if slow else "")


def decoders(wanted: str) -> list[Finding]:
    """PyAV with its codecs, and decord; `wanted`: the configured decoder."""
    try:
        import av
    except (ImportError, OSError) as error:
        return [Finding("PyAV", "can't be imported", first_line(error), "pip install --force-reinstall av")]
    library = ".".join(map(str, av.library_versions["libavcodec"]))
    lacking = [name for name in (*DECODED, *ENCODED) if name not in av.codecs_available]
    pyav = Finding(
        "PyAV",
        f"{av.__version__} (libavcodec {library}), reads {', '.join(name for name in DECODED if name not in lacking)}",
        f"its FFmpeg lacks {', '.join(lacking)}" if lacking else "",
        "pip install --force-reinstall --only-binary av av" if lacking else "",
    )

    decord = _version("decord")
    if decord is None and wanted == "decord":
        remedy = "set decode.decoder to pyav, which reads everything; decord has no wheel for every machine"
        return [pyav, Finding("decord", "not installed", "decode.decoder is decord", remedy)]
    return [pyav, Finding("decord", decord or "not installed: PyAV reads everything")]


def workflow() -> list[Finding]:
    """Snakemake, its executors and cache folder, DVC, and the hub's cache."""
    from huggingface_hub import constants

    snakemake, dvc = _version("snakemake"), _version("dvc")
    names = {name.lower().replace("_", "-") for one in metadata.distributions() if (name := one.metadata["Name"])}
    executors = sorted(name.removeprefix(EXECUTOR) for name in names if name.startswith(EXECUTOR))
    install = "" if snakemake else "pip install '.[workflow]' in a clone runs whole configurations"
    found = [Finding("Snakemake", snakemake or "not installed", remedy=install)]
    slurm = "sbatch is there" if shutil.which("sbatch") else "no sbatch on this machine"
    found.append(Finding("executors", f"{', '.join(['local', *executors])}; {slurm}"))
    found.append(Finding("DVC", dvc or "not installed: only needed to version results"))

    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    found.append(_writable("Snakemake's cache", cache, "XDG_CACHE_HOME"))
    hub = _writable("hub cache", Path(constants.HF_HUB_CACHE), "HF_HOME")
    offline = " (offline: HF_HUB_OFFLINE is set)" if constants.HF_HUB_OFFLINE else ""
    return [*found, Finding(hub.name, hub.found + offline, hub.problem, hub.remedy)]


def _writable(name: str, folder: Path, variable: str) -> Finding:
    """A folder that is, or can be, made."""
    start = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if os.access(start, os.W_OK) and start.is_dir():
        return Finding(name, f"{folder}")
    return Finding(name, f"{folder}", f"{start} can't be written to", f"set {variable} to a folder of yours")


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
