"""What the process that killed ones are forked from does once (`tests.kills`): imports, and hashes of the code."""

import tests.kills  # noqa: F401
from fca.artifacts.fingerprint.code import code_hash

for step in ("train", "encode", "sample", "resample"):
    code_hash(step)
