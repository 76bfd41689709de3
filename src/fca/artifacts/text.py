"""Text that artifacts can hold."""


def storable(text: str) -> bool:
    """Whether a text survives UTF-8 and HDF5: no NUL character, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False
