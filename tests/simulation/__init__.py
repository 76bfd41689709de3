"""Tests of the simulators' environment."""

import simulation  # noqa: F401  # it chooses the renderer, which mujoco reads when it is imported
