"""The manifest: a small JSON file next to every big one, with its content's hash, its parents and its fingerprint.

Rules of the workflow depend on manifests, so a manifest is written last. The same inputs, settings and code give the
same bytes: it holds no absolute path and no time of day, except for the training log in a model's manifest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from fca.artifacts.atomic import write_text
from fca.artifacts.quarantine import Quarantine
from fca.errors import FcaError, remake


@dataclass(frozen=True)
class Manifest:
    """The content of the file or folder next to this manifest."""

    kind: str
    """raw, index, verified, clips, latents, model or samples."""
    count: int
    """Number of clips (of files, for raw)."""
    ids: Sequence[str]
    """The clips' ids in the order of the arrays; empty if the file itself lists them (index)."""
    sha256: str
    """Hash of the content, never of the container; the module that writes the kind defines it."""
    parents: dict[str, str]
    """Path, relative to the data folder -> sha256 of the content this was made from."""
    made_by: dict[str, str]
    """See `fca.artifacts.fingerprint.made_by`."""
    quarantine: Sequence[Quarantine]
    """Unusable clips, found by this step or by an earlier one."""
    extra: dict[str, Any] = field(default_factory=dict)
    """JSON values that only this kind has."""

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
        """Write the manifest, atomically."""
        write_text(path, self.text())

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a manifest.

        Raises:
            FcaError: it is missing, damaged, or not a manifest.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise FcaError(
                f"there is no manifest {path}", "the output of an earlier step", f"{remake(path)}, or that `fca` step"
            ) from None
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, path: Path | str) -> Self:
        """The manifest in a text read from `path`.

        Raises:
            FcaError: the text is not a manifest.
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
