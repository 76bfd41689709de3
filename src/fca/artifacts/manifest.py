"""The small JSON file beside every big one: what is in it, what it was made from, and by what.

Rules of the workflow depend on manifests, so a manifest is written last. The same inputs, config and code make the
same bytes: it holds no absolute path and no time of day, but for the training log in a model's manifest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from fca.artifacts.atomic import write_aside
from fca.artifacts.quarantine import Quarantine
from fca.errors import FcaError, remake


@dataclass(frozen=True)
class Manifest:
    """What lies in the file (or folder) beside this manifest."""

    kind: str
    """raw, index, verified, clips, latents, model or samples."""
    count: int
    """How many clips (files, for raw) are in it."""
    ids: Sequence[str]
    """The clips' ids in the order of the arrays; empty where the file itself lists them (index)."""
    sha256: str
    """Hash of the content, never of the container: see the module that writes the kind."""
    parents: dict[str, str]
    """Path, relative to the data folder -> sha256 of the content this was made from."""
    made_by: dict[str, str]
    """See `fca.artifacts.fingerprint.made_by`."""
    quarantine: Sequence[Quarantine]
    """Clips that can't be used, found by this step or by one before it."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What only this kind has to say (JSON values)."""

    def is_of(
        self, parents: Mapping[str, str], made_by: Mapping[str, str], quarantine: Sequence[Quarantine] = ()
    ) -> bool:
        """Whether the job with these inputs, this fingerprint and these unusable clips made it; versions may differ."""
        found, wanted = ({**fingerprint, "fca": ""} for fingerprint in (self.made_by, made_by))
        return (self.parents, found, self.quarantine) == (dict(parents), wanted, list(quarantine))

    def text(self) -> str:
        """The manifest as JSON with sorted keys."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def write(self, path: Path | str) -> None:
        """Write the manifest aside, and rename it."""
        with write_aside(path) as aside:
            aside.write_text(self.text(), encoding="utf-8")

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a manifest; `FcaError` when it is missing, damaged, or not a manifest."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise FcaError(
                f"there is no manifest {path}",
                "the step that makes it to have run",
                f"{remake(path)}, or that `fca` step by hand",
            ) from None
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, path: Path | str) -> Self:
        """The manifest in a text that was read from `path`.

        Raises:
            FcaError: it is none.
        """
        try:
            values = json.loads(text)
            values["quarantine"] = [Quarantine(**row) for row in values["quarantine"]]
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            expected = f"a JSON object with {', '.join(item.name for item in fields(cls))}"
            raise FcaError(
                f"{path} is not a manifest ({error})", expected, f"remove {path}, then {remake(path)}"
            ) from error
