"""What decides a step's result: its settings, its code and the frozen networks that it reads."""

import hashlib
import json
from typing import Any

from fca import __version__
from fca.artifacts.fingerprint.code import code_hash
from fca.artifacts.fingerprint.settings import settings_of
from fca.artifacts.fingerprint.weights import weights_hash
from fca.config import BaseKind, Config
from fca.config.rehearsal import is_rehearsal


def fingerprint(
    config: Config, step: str, dataset: str | None = None, variant: str | None = None, base: BaseKind | None = None
) -> dict[str, Any]:
    """`settings` by name, `code` (a hash) and `weights` (hashes by path) of a step; its inputs are not in it.

    With `dataset`, `variant` and `base` only their settings count, so that a change leaves the others' results alone.
    Rules of the workflow compare it with that of the last run, a training with that of its run folder.
    """
    return {
        "settings": settings_of(config, step, dataset, variant, base),
        "code": code_hash(step),
        "weights": weights_hash(config, step, variant, base or "text"),
    }


def made_by(
    config: Config, step: str, dataset: str | None = None, variant: str | None = None, base: BaseKind | None = None
) -> dict[str, str]:
    """The fingerprint as a manifest keeps it: hashes (`config`, `code`, `weights`), `fca` (version), `rehearsal`."""
    found = fingerprint(config, step, dataset, variant, base)
    hashes = {"config": _sha256(found["settings"]), "code": found["code"], "weights": _sha256(found["weights"])}
    marked = {"rehearsal": "not a result"} if is_rehearsal(config) else {}
    return hashes | marked | {"fca": __version__}


def _sha256(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
