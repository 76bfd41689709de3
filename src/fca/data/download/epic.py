"""Epic-Kitchens-100: the two CSVs, and a tar of RGB frames or the MP4 for each video that they name.

Source: the download scripts of EPIC-KITCHENS (addresses, md5.csv, errata). A video of EPIC-55 is in the folder `train`
or `test` of that dataset's split; md5.csv lists its path.
"""

import re
from pathlib import Path

from fca.data.datasets.epic import READER, read_segments, video_of
from fca.data.download.archive import Limits, by_file_name
from fca.data.download.digests import read_epic_table
from fca.data.download.files import RemoteFile
from fca.data.download.obtain import Source
from fca.errors import FcaError

ANNOTATIONS = "https://raw.githubusercontent.com/epic-kitchens/epic-kitchens-100-annotations/"
COMMIT = "ea8b40457a400c3fffa1c7f406ef3dc169cc2522"
BLOBS = {"EPIC_100_train.csv": {"git": "a7c4d226126f60bf1a15a7524092f7c731beeea9"}}
"""The CSV as git names it in that commit"""
SERVER = "https://data.bris.ac.uk/datasets/"
FOLDERS = {"55": "3h91syskeag572hl6tvuovwv4d/", "100": "2g1n6qdydwa9u22shpxqzp0t8m/"}
"""Folder of the server for each version in md5.csv"""
ERRATA = {
    "P01_109": "https://www.dropbox.com/s/mh7y0goc5x945nu/P01_109.tar?dl=1",
    "P27_103": "https://www.dropbox.com/s/c1eo70v6dokr6cf/P27_103.tar?dl=1",
}
"""Videos whose published tar was replaced"""
REMOTE = {
    ".tar": re.compile(r"(?:frames_rgb_flow/rgb/(?:train|test)/P\d+|P\d+/rgb_frames)/(P\d+_\d+)\.tar"),
    ".MP4": re.compile(r"(?:videos/(?:train|test)/P\d+|P\d+/videos)/(P\d+_\d+)\.MP4"),
}
# an hour at 60 frames a second is 216,000 files
LIMITS = Limits(members=1_000_000, bytes=100 * 2**30)


def obtain(source: Source) -> None:
    """Put the CSVs into `annotations/` and the frames of every used video into its folder, or its MP4.

    If `urls` has addresses, missing files are downloaded. Frames go to `EPIC-KITCHENS/<PXX>/rgb_frames/<video_id>/`,
    MP4s to `EPIC-KITCHENS/<PXX>/videos/`.
    """
    kind = ".MP4" if source.settings.media == "video" else ".tar"
    names = rf"P\d+_\d+\{kind}|EPIC_100_(train|validation)\.csv"
    source.expect(names, 1, f"{SERVER}, <video_id>{kind}, EPIC_100_train.csv, EPIC_100_validation.csv")
    _obtain_annotations(source)
    folders = {
        folder
        for split in ("train", "validation")
        for _, folder, _, _, _ in read_segments(READER.annotations(source.root, split), source.settings.clips[split])
    }
    if kind == ".MP4":
        if source.settings.urls:
            published = published_files(source, kind)
            videos = [path for folder in sorted(folders) if not (path := source.root / video_of(folder)).is_file()]
            source.download(remote_file(source, path, published) for path in videos)
        return

    missing = [source.root / folder for folder in sorted(folders) if not (source.root / folder).is_dir()]
    archives = {folder: _find_archive(source, folder) for folder in missing}
    published = published_files(source, kind)
    if source.settings.urls:
        source.download(remote_file(source, archives[folder], published) for folder in missing)
    for folder, archive in archives.items():
        if not archive.is_file():
            raise FcaError(f"there is neither {folder} nor {archive}", "the frames of the video", source.advice)
        known = not source.settings.urls and folder.name in published
        digests = {"md5": published[folder.name][2]} if known else {}
        source.unpack([archive], folder, LIMITS, by_file_name(r"frame_\d{10}\.jpg"), digests)


def _obtain_annotations(source: Source) -> None:
    if not source.settings.urls:
        return
    wanted = []
    for split in ("train", "validation"):
        try:
            READER.annotations(source.root, split)
        except FcaError:
            name = f"EPIC_100_{split}.csv"
            digests = {} if name in source.files else BLOBS.get(name, {})
            path, url = source.root / "annotations" / name, f"{ANNOTATIONS}{COMMIT}/{name}"
            wanted.append(source.remote(name, path, url, digests))
    source.download(wanted)


def published_files(source: Source, kind: str) -> dict[str, tuple[str, str, str]]:
    """(version, path on the server, md5) of each video's tar of frames or MP4 in md5.csv; errata go first."""
    found: dict[str, tuple[str, str, str]] = {}
    table = read_epic_table(source.checksums) if source.checksums else {}
    for (path, version), md5 in table.items():
        match = REMOTE[kind].fullmatch(path)
        if match and (version == "errata" or match[1] not in found):
            found[match[1]] = (version, path, md5)
    return found


def _find_archive(source: Source, folder: Path) -> Path:
    """The user's tar of a video, flat or as the download scripts store it; else the path to download it to."""
    video, below = folder.name, Path(folder.parts[-3], "rgb_frames", f"{folder.name}.tar")
    candidates = [source.archives / path for path in (f"{video}.tar", Path("EPIC-KITCHENS") / below, below)]
    return next((path for path in candidates if path.is_file()), candidates[-1])


def remote_file(source: Source, path: Path, published: dict[str, tuple[str, str, str]]) -> RemoteFile:
    """A video's tar or MP4 and its address."""
    name, video = path.name, path.stem
    version, remote_path, md5 = published.get(video, ("", "", ""))
    digests = {"md5": md5} if md5 else {}
    if path.is_file() or name in source.files:
        return source.remote(name, path, "", digests)
    if not source.folders:
        raise FcaError(f"{source.dataset}: there is no address for {name}", f"{SERVER} or .../{name} in urls")
    if video in ERRATA and path.suffix == ".tar":
        return source.remote(name, path, ERRATA[video], digests)
    if version not in FOLDERS:
        raise FcaError(
            f"{source.dataset}: the address of {name} on the server isn't known",
            f"checksums: the md5.csv of the download scripts, with a row for {name}",
            "get data/md5.csv from https://github.com/epic-kitchens/epic-kitchens-download-scripts",
        )
    return source.remote(name, path, source.folders[0] + FOLDERS[version] + remote_path, digests)
