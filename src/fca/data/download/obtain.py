"""Download and unpack what a dataset's folder lacks, once its licence is accepted."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from fca.config import Dataset
from fca.config.formats import FORMATS
from fca.data.download.http import Client
from fca.data.download.source import Source
from fca.errors import FcaError

LOCK = ".fetching"


def obtain(dataset: str, settings: Dataset, root: Path, client: Client | None = None) -> None:
    """Complete the folder `root` of a dataset from its archives and addresses, if the settings name any.

    Existing files stay, so a second run does nothing and a run after a kill resumes.

    Raises:
        FcaError: something is missing and the licence isn't accepted, or a download or an archive failed.
    """
    if settings.archives is None and not settings.urls:
        return
    with _alone(root):
        module = import_module(FORMATS[settings.format].download)
        module.obtain(Source.of(dataset, settings, root, client or Client()))


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other processes from completing the same folder; a read-only one needs no lock."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = open(root / LOCK, "a")  # noqa: SIM115
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FcaError(f"another process is fetching {root}", "one at a time", "wait for it, or stop it") from None
        yield
