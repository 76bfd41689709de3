"""The base class of all groups of settings, and the types of their values."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Scale = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(-rehearsal)?$", max_length=50)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PartFile = Annotated[str, StringConstraints(pattern=r"^(transformer|vae|text_encoder|tokenizer|scheduler)/[^/]+$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+/\S*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[^/]+$")]
Positive = Annotated[int, Field(gt=0)]


def _decodable(frames: int) -> int:
    """Refuse a number of frames that the VAE doesn't decode to again: 12 would become 9."""
    if frames % 8 > 1:
        raise ValueError(f"must be a multiple of 8, or one more, such as 16 or 17, but it is {frames}")
    return frames


def latent_frames(frames: int) -> int:
    """Frames of the latent that CogVideoX's VAE makes of a video: 4 for 16 frames, 5 for 17, 1 for one or two."""
    return -(-frames // 4)


Frames = Annotated[int, Field(ge=8), AfterValidator(_decodable)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Split = Literal["train", "validation"]
SampleKind = Literal["validation", "opposite", "edited"]
BaseKind = Literal["text", "image"]
SchedulerName = Literal["ddim", "dpm"]
VAE_ROUNDTRIP = "vae_roundtrip"
"""Name of the file with the scores of the VAE alone, next to those of the variants."""


class Settings(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
