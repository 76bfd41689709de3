"""Tiny captioned tabletop videos: sampled, drawn, described, and written in three datasets' own formats."""

from fca.data.tabletop.captions import SSV2_TEMPLATES, caption, caption_text, motion_of_caption, opposite_caption
from fca.data.tabletop.draw import clip, render
from fca.data.tabletop.sample import sample_scene
from fca.data.tabletop.scene import (
    CAMERAS,
    COLOURS,
    MOTIONS,
    OPPOSITE,
    SHAPES,
    STYLE_MOTIONS,
    STYLES,
    Camera,
    Item,
    Pose,
    Scene,
    pose,
)

__all__ = [
    "CAMERAS",
    "COLOURS",
    "MOTIONS",
    "OPPOSITE",
    "SHAPES",
    "SSV2_TEMPLATES",
    "STYLES",
    "STYLE_MOTIONS",
    "Camera",
    "Item",
    "Pose",
    "Scene",
    "caption",
    "caption_text",
    "clip",
    "motion_of_caption",
    "opposite_caption",
    "pose",
    "render",
    "sample_scene",
]
