"""`fca push`: a model's folder and its card to the Hugging Face hub, by `huggingface_hub`.

Only files of listed kinds are sent, each under its own name, so pictures, clips and latents can't go along.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from fca.config.layout import CARD
from fca.errors import FcaError, first_line
from fca.pretrained.exported import FILE, ExportedModel
from fca.pretrained.hub.card import Training

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PIPELINE = "model_index.json"
"""Names the folders of a whole diffusers pipeline."""
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
OWN = (CARD, FILE, "config.json", PIPELINE, *WEIGHTS)
"""Files of a model's folder that are pushed."""
OF_A_PART = ("*.json", "*.safetensors", "spiece.model", "vocab.txt", "merges.txt")
"""Files of a pipeline's folders that are pushed: configurations, weights, tokenizers."""
LOG_IN = "`hf auth login` with a token that may write, or set HF_TOKEN"
AGAIN = "run the same command again: files that the hub has are not sent twice"


@dataclass(frozen=True)
class Choice:
    """The files of a model's folder."""

    files: dict[str, int]
    """Path below the folder -> size in bytes of each file to push."""
    left_out: dict[str, str]
    """Path below the folder -> why it is not pushed."""


def choose(folder: Path) -> Choice:
    """The files of a model's folder that are pushed, and everything else in it.

    Raises:
        FcaError: it is no model's folder, its card or its weights are missing, or a rehearsal made it.
    """
    ExportedModel.read(folder)
    if (training := Training.recorded(folder)) is not None and training.rehearsal:
        raise FcaError(f"{folder} is of a rehearsal, which predicts nothing", "a trained model", "train one")
    parts = _parts(folder)
    choice = Choice({}, {})
    for name in sorted(_names(folder)):
        path, above = folder / name, Path(name).parent.as_posix()
        kinds = OWN if above == "." else OF_A_PART if above in parts else ()
        if not path.resolve().is_relative_to(folder.resolve()):
            choice.left_out[name] = "a link that leads out of the folder"
        elif not path.is_file():
            choice.left_out[name] = "a link to a folder" if path.is_dir() else "no regular file"
        elif not any(fnmatchcase(path.name, kind) for kind in kinds):
            choice.left_out[name] = "no file of a model"
        else:
            choice.files[name] = path.stat().st_size

    for name, remedy in ((CARD, f"`fca card {folder}` writes it"), (FILE, "push the folder that has it")):
        if name not in choice.files:
            raise FcaError(f"{folder} has no {name} of its own", "a model's folder with its card", remedy)
    if not any(fnmatchcase(Path(name).name, WEIGHTS[0]) for name in choice.files):
        raise FcaError(f"{folder} has no weights to push", "a .safetensors file", "train the model again")
    return choice


def push(folder: Path, repo: str, files: dict[str, int], private: bool = False, revision: str | None = None) -> str:
    """Push these files of a model's folder to a repository, which is created if it doesn't exist; return the address.

    The card's example names the repository; every other file is sent as it is.

    Args:
        private: create a private repository; an existing one must be private.
        revision: branch, created if it doesn't exist; None: main.

    Raises:
        FcaError: the name is malformed, there is no token, or the hub can't be reached or refuses.
    """
    check_name(repo)
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled

    token = get_token()
    if token is None or not re.fullmatch("[!-~]+", token):  # an error about a header would show it
        found = "there is no token" if token is None else "what is set as the token is none"
        raise FcaError(f"{found} for the Hugging Face hub", "the token of an account that may write", LOG_IN)
    from fca.pretrained.hub.card import named

    content: dict[str, str | bytes] = {name: str(folder / name) for name in files}
    content[CARD] = named((folder / CARD).read_text(encoding="utf-8"), repo).encode()
    api = HfApi()
    try:
        api.create_repo(repo, private=private or None, exist_ok=True)
        _check_private(api, repo, private)
        if revision is not None:
            api.create_branch(repo, branch=revision, exist_ok=True)
        operations = [CommitOperationAdd(name, given) for name, given in content.items()]
        return api.create_commit(
            repo, operations, commit_message="Push a model by `fca push`", revision=revision
        ).commit_url
    except (HTTPError, OfflineModeIsEnabled, RuntimeError, ValueError, OSError) as error:
        raise _explained(error, repo, revision) from error


def check_name(repo: str) -> None:
    """Check the name of a repository on the hub.

    Raises:
        FcaError: it isn't `org/name` as the hub allows it.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
        if repo.count("/") == 1:
            return
        why = "it has no owner" if "/" not in repo else "it has more than one /"
    except HFValidationError as error:
        why = first_line(error)
    raise FcaError(f"{repo!r} can't be a repository's name: {why}", "org/name or user/name, such as me/fca-ssv2")


def _parts(folder: Path) -> set[str]:
    """The folders that a pipeline's `model_index.json` names; none without that file."""
    try:
        index = json.loads((folder / PIPELINE).read_text(encoding="utf-8"))
        return {name for name, value in index.items() if isinstance(value, list)}
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, AttributeError) as error:
        raise FcaError(
            f"{folder / PIPELINE} can't be read ({first_line(error)})", "the JSON object that diffusers writes"
        ) from error


def _names(folder: Path) -> Iterator[str]:
    """Every file below a folder, and every link to a folder; no link is followed."""
    for above, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(above) / name).is_symlink()]
        yield from ((Path(above) / name).relative_to(folder).as_posix() for name in (*files, *links))


def _check_private(api: "HfApi", repo: str, private: bool) -> None:
    """Refuse to push privately to a repository that everyone can read."""
    if private and not api.repo_info(repo).private:
        raise FcaError(
            f"the repository {repo} exists and is public, so nothing was sent",
            "a private one",
            "choose another name, make it private on the hub, or leave out --private",
        )


def _explained(error: BaseException, repo: str, revision: str | None) -> FcaError:
    """What went wrong, in words. Texts of requests are never shown: they could hold a token."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    # An upload's own error may be the cause of one that the library raises on top.
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    answered = next((found for found in chain if isinstance(found, HfHubHTTPError)), None)

    where = repo if revision is None else f"{repo} at {revision}"
    if answered is not None:
        said = " ".join((answered.server_message or "").split())
        if answered.response.url.path == "/api/validate-yaml":
            return FcaError(
                f"the hub refuses the metadata of {CARD}: {said}", remedy="`fca card MODEL` writes it again"
            )
        return _refused(answered.response.status_code, said, where)
    if any(isinstance(found, OfflineModeIsEnabled) for found in chain):
        return FcaError("HF_HUB_OFFLINE is set, so nothing was sent", remedy="unset it to push")
    if any(isinstance(found, HTTPError) for found in chain):
        return FcaError("the Hugging Face hub can't be reached", "a network that reaches it", AGAIN)
    return FcaError(f"{where} was not pushed: {first_line(error)}", remedy=AGAIN)


def _refused(status: int, said: str, where: str) -> FcaError:
    """An answer of the hub that is an error."""
    answer = f"the hub answered {status}" + (f": {said}" if said else "")
    if status == 401:
        return FcaError(f"{answer} (the token isn't accepted)", "a valid token", LOG_IN)
    if status == 403:
        return FcaError(f"{answer} (the token may not write to {where})", "your own name or organisation", LOG_IN)
    if status == 404:
        return FcaError(f"{answer} ({where} isn't there, or this account may not see it)", "a repository you can see")
    if status >= 500 or status == 429:
        return FcaError(f"{answer} (it has a problem of its own)", remedy=f"wait, then {AGAIN}")
    return FcaError(f"{answer} ({where} was not pushed)")
