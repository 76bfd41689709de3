"""Large libraries, imported once for all faults: everything that takes seconds, and nothing of fca."""

import accelerate  # noqa: F401
import av  # noqa: F401
import h5py  # noqa: F401
import hypothesis  # noqa: F401
import peft  # noqa: F401
import pytest  # noqa: F401
import torch  # noqa: F401
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXPipeline  # noqa: F401
from transformers import Blip2VisionModel, T5EncoderModel  # noqa: F401
