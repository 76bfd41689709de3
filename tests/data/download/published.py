"""Pack a corpus of library clips as the real dataset is published, into a folder that is served.

Each function returns the names to download, as they stand in `urls` behind the server's address.
"""

import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

from fca.data.datasets.bridge import LIST_NAME
from fca.data.datasets.ssv2 import VIDEOS
from fca.data.download import epic
from fca.data.download.ssv2 import LABELS
from tests.data.corpora import files_below


def tar(path: Path, members: dict[str, bytes], zipped: bool = False) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = gzip.compress(buffer.getvalue()) if zipped else buffer.getvalue()
    path.write_bytes(data)
    return data


def serve_ssv2(root: Path, served: Path) -> list[str]:
    """Two parts of a tar.gz and a zip of labels, as Qualcomm publishes them; the names to download."""
    videos = {f"{VIDEOS[1]}/{path.name}": path.read_bytes() for path in (root / VIDEOS[1]).iterdir()}
    data = tar(served / "whole", videos, zipped=True)
    (served / "whole").unlink()
    parts = [data[: len(data) // 2], data[len(data) // 2 :]]
    for number, part in enumerate(parts):
        (served / f"20bn-something-something-v2-{number:02d}").write_bytes(part)
    with zipfile.ZipFile(served / LABELS, "w") as archive:
        for path in (root / "labels").iterdir():
            archive.write(path, f"labels/{path.name}")
    return [*(f"20bn-something-something-v2-{number:02d}" for number in range(len(parts))), LABELS]


def other_task(name: str) -> str:
    """The same place below a task that isn't in the list."""
    parts = name.split("/")
    return "/".join([*parts[:3], "another_task", *parts[4:]])


def serve_bridge_zip(root: Path, served: Path) -> list[str]:
    """The release's zip with more in it than is wanted, and Seer's list."""
    with zipfile.ZipFile(served / "demos_8_17.zip", "w") as archive:
        for name in files_below(root / "raw"):
            archive.write(root / "raw" / name, f"demos_8_17/raw/{name}")
            other = other_task(name)
            archive.write(root / "raw" / name, f"demos_8_17/raw/{other.replace('images', 'depth_images')}")
        archive.writestr("demos_8_17/raw/bridge_data_v2/x.pkl", b"v2")
    (served / LIST_NAME).write_bytes((root / LIST_NAME).read_bytes())
    return ["demos_8_17.zip", LIST_NAME]


def serve_bridge_tree(root: Path, served: Path) -> list[str]:
    """The browsable tree with more in it than is wanted, and Seer's list."""
    for name in files_below(root / "raw"):
        for place in (name, other_task(name)):
            (served / place).parent.mkdir(parents=True, exist_ok=True)
            (served / place).write_bytes((root / "raw" / name).read_bytes())
        (served / name).with_name("obs_dict.pkl").touch()
        (served / name).parents[1].joinpath("depth_images0").mkdir(exist_ok=True)
        (served / name).parents[5].joinpath("lmdb").mkdir(exist_ok=True)
    (served / LIST_NAME).write_bytes((root / LIST_NAME).read_bytes())
    return ["bridge_data_v1/", LIST_NAME]


def serve_epic(root: Path, served: Path) -> list[str]:
    """A tar for each video where the download scripts look for it, its md5 in md5.csv; one is an erratum."""
    place = "frames_rgb_flow/rgb/{}/P01/{}.tar"
    rows = ["md5,file_remote_path,version", f"{'0' * 32},{place.format('train', 'P01_02')},55"]
    for split, video, inside in (("test", "P01_01", "./"), ("train", "P01_02", "P01_02/")):
        frames = sorted((root / "EPIC-KITCHENS/P01/rgb_frames" / video).iterdir())
        remote, erratum = place.format(split, video), video == "P01_02"
        path = served / "errata/P01_02.tar" if erratum else served / epic.FOLDERS["55"] / remote
        data = tar(path, {f"{inside}{frame.name}": frame.read_bytes() for frame in frames})
        rows.append(f"{hashlib.md5(data).hexdigest()},{remote},{'errata' if erratum else '55'}")
    (served.parent / "md5.csv").write_text("\n".join(rows) + "\n")
    for path in (root / "annotations").iterdir():
        (served / path.name).write_bytes(path.read_bytes())
    return ["", "errata/P01_02.tar", "EPIC_100_train.csv", "EPIC_100_validation.csv"]
