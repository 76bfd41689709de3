"""Settings of the networks: those that are frozen, the sizes of what is trained, and those that measure."""

from pydantic import Field, model_validator

from fca.config.settings import FileName, PartFile, Positive, Settings, Sha256


class Base(Settings):
    """The frozen networks: a CogVideoX checkpoint and a BLIP-2 vision encoder."""

    model: str
    """CogVideoX checkpoint in diffusers' layout: a folder, or a name on the Hugging Face hub (`hub:org/name`)"""
    revision: str | None = None
    """Commit of `model` on the hub, 40 hexadecimal digits; null for a folder"""
    vision_model: str
    """BLIP-2 checkpoint for image features and caption embeddings: a folder, or a name on the hub (`hub:org/name`)"""
    vision_revision: str | None = None
    """Commit of `vision_model` on the hub, 40 hexadecimal digits; null for a folder"""
    sha256: dict[PartFile, Sha256] = Field(default={})
    """Expected sha256 of files of `model`, by path such as `vae/config.json`; checked when their folder is read"""
    vision_sha256: dict[FileName, Sha256] = Field(default={})
    """Expected sha256 of files of `vision_model`, by name; checked when it is read"""
    text_tokens: Positive
    """T5 tokens of a prompt, padding included (CogVideoX uses no mask)"""
    caption_tokens: Positive = 32
    """Maximum BERT tokens of a caption in frame-wise text conditioning; padding is masked"""
    t_ref: int = Field(default=1, ge=0, lt=1000)
    """Diffusion timestep of the initial frames' pass through the frozen model"""


class Adapter(Settings):
    """Sizes of the adapter, which follow those of the base model; a variant says what the adapter does."""

    queries_per_frame: Positive
    """Learned text queries for one latent frame (paper: 226, so 904 in all)"""
    ftc_width: Positive
    """Width of a frame-wise text conditioning layer; a multiple of ftc_heads"""
    ftc_heads: Positive
    """Attention heads of a frame-wise text conditioning layer"""
    attention_heads: Positive | None = None
    """Heads of FCA's parallel attention, each as wide as the base's; null: as many as the base has"""
    lora_rank: Positive = 128
    """Rank of variants with adapter: lora (CogVideoX's fine-tuning script: 128)"""
    lora_alpha: Positive = 64
    """The output of LoRA is scaled by lora_alpha / lora_rank (CogVideoX's fine-tuning script: 64)"""
    control_layers: Positive = 15
    """Number of first layers of the base that variants with adapter: controlnet copy (15: half, as in HunyuanDiT)"""

    @model_validator(mode="after")
    def check(self) -> "Adapter":
        if self.ftc_width % self.ftc_heads:
            raise ValueError(f"ftc_width ({self.ftc_width}) must be a multiple of ftc_heads ({self.ftc_heads})")
        return self


class Sizes(Settings):
    """A variant's own sizes of what it trains; null: as `adapter` says."""

    queries_per_frame: Positive | None = None
    """Learned text queries for one latent frame"""
    ftc_width: Positive | None = None
    """Width of a frame-wise text conditioning layer"""
    ftc_heads: Positive | None = None
    """Attention heads of a frame-wise text conditioning layer"""
    attention_heads: Positive | None = None
    """Heads of FCA's parallel attention"""
    lora_rank: Positive | None = None
    """Rank of LoRA"""
    lora_alpha: Positive | None = None
    """The output of LoRA is scaled by lora_alpha / lora_rank"""
    control_layers: Positive | None = None
    """Number of first layers of the base that a ControlNet copies"""


class Features(Settings):
    """The feature network of FVD and KVD; its name is part of every score's name."""

    network: str
    """Folder or file of the feature network"""
    sha256: Sha256 | None = None
    """Expected sha256 of its weights (in a folder: model.safetensors), checked before use; null: not checked"""


class Positions(Settings):
    """Position error of predictions, for datasets made of the clip library."""

    network: str | None = None
    """Folder of the position reader; null: not measured"""
