"""The check of every network's output before anything is made from it."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch

from fca.errors import FcaError

Values = TypeVar("Values", torch.Tensor, np.ndarray)
SHOWN = 5


def finite(values: Values, what: str, names: Sequence[str] = ()) -> Values:
    """The same `values` (n, ...), of any precision.

    Args:
        what: what they are and, if there are several, the step: "the latents after step 3 of 50".
        names: of the n rows: clips or captions.

    Raises:
        FcaError: some are NaN or infinite; it names their rows. Callers check before they write anything.
    """
    bad = ~torch.as_tensor(values).isfinite()
    if not bad.any():
        return values
    rows = [names[row] for row in bad.reshape(len(bad), -1).any(1).nonzero().flatten().tolist()] if names else []
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    raise FcaError(
        f"{what}: NaN or infinite" + (f" for {', '.join(map(repr, rows[:SHOWN]))}{more}" if rows else ""),
        "finite numbers; nothing was written",
        "the network that made them overflows in fp16, where bf16 or fp32 (precision) is the remedy, or has a weight "
        "that isn't finite: train, export or download it again",
    )
