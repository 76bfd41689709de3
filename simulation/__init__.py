"""Robots and hands in physical simulators: clips with captions, positions and success. `python -m simulation.render`

Not a part of the package `fca`: it runs in its own environment (`make simulation-env`) and imports no torch.
"""

import os

os.environ.setdefault("MUJOCO_GL", "egl")  # needs libegl1; "osmesa" needs libosmesa6. MuJoCo reads it when imported.
