"""What a card says about bases and datasets that are known by name: licences, names on the hub."""

from pathlib import PurePath
from typing import NamedTuple

from fca.config.shipped import HUB, network_folder
from fca.errors import FcaError


class Licence(NamedTuple):
    """A licence as the hub's metadata states it."""

    license: str
    """Identifier of the hub's list, `other` or `unknown`"""
    license_name: str | None = None
    """Name, if it is none of the hub's list"""
    license_link: str | None = None


COGVIDEOX = Licence("other", "cogvideox-license", "https://huggingface.co/THUDM/CogVideoX-5b/blob/main/LICENSE")
LICENCES = {
    "cogvideox-2b": Licence("apache-2.0"),
    "cogvideox-5b": COGVIDEOX,
    "cogvideox-5b-i2v": COGVIDEOX,
    "cogvideox1.5-5b": COGVIDEOX,
    "cogvideox1.5-5b-i2v": COGVIDEOX,
    "pocket-base": Licence("apache-2.0"),
    "pocket-image-base": Licence("apache-2.0"),
}
"""Last part of a base's name, in small letters -> licence of the base, which its adapter follows."""


def licence(base: str) -> Licence:
    """The licence of a base and of what is trained on it: `unknown` for a base that isn't in the table."""
    return LICENCES.get(PurePath(base.removeprefix(HUB)).name.lower(), Licence("unknown"))


def hub_name(base: str) -> str | None:
    """The name of a base on the hub; None for a folder."""
    try:
        return base.removeprefix(HUB) if network_folder(base) is None else None
    except FcaError:  # a folder that was moved
        return None


def public(path: str) -> str:
    """A path as others may read it: a relative one as it is, of an absolute one its last part."""
    found = PurePath(path)
    return found.name if found.is_absolute() or path.startswith("~") else found.as_posix()
