"""Names of trained models: a variant, which of its trainings, and after how many steps: `fca`, `fca@2`, `fca@2~500`."""

from dataclasses import dataclass, replace
from typing import Self

REPLICATE = "@"
"""Between a variant and the number of its training, from the second on."""
LENGTH = "~"
"""Before the optimizer steps of a model that was exported on the way (`train.lengths`)."""


@dataclass(frozen=True)
class RunName:
    """A name in its parts."""

    variant: str
    replicate: int = 1
    steps: int | None = None
    """None: at the end of the training."""

    @classmethod
    def of(cls, name: str) -> Self:
        """The parts of a name; of a wildcard such as `{variant}` the name alone."""
        training, _, steps = name.partition(LENGTH)
        variant, _, replicate = training.partition(REPLICATE)
        return cls(variant, int(replicate or 1), int(steps) if steps else None)

    def __str__(self) -> str:
        number = "" if self.replicate == 1 else f"{REPLICATE}{self.replicate}"
        return f"{self.variant}{number}" + ("" if self.steps is None else f"{LENGTH}{self.steps}")

    def but(self, **changes: object) -> str:
        """The name with other parts."""
        return str(replace(self, **changes))  # type: ignore[arg-type]
