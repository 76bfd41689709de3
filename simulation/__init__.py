"""Robots and hands in physical simulators: clips with captions, positions and success. `python -m simulation.render`

Not a part of the package `fca`: it runs in its own environment (`make simulation-env`) and imports no torch.
"""

import os
import sys

if "mujoco" in sys.modules and "MUJOCO_GL" not in os.environ:
    raise ImportError("mujoco was imported before simulation, which chooses its renderer. Import simulation first.")
os.environ.setdefault("MUJOCO_GL", "egl")  # needs libegl1; "osmesa" needs libosmesa6
