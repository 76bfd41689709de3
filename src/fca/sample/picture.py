"""Pictures of any size and kind as pixels of a model's frame."""

import numpy as np
from PIL import Image, ImageOps

from fca.errors import FcaError
from fca.video.resize import resize

UNUSABLE = ("I", "F", "LAB", "HSV")


def rgb(picture: object) -> np.ndarray:
    """A Pillow picture or an array -> (H, W, 3) uint8 RGB.

    A picture is rotated as its EXIF data says; grey, palette, CMYK and 16-bit grey become RGB; transparency becomes
    white. An array must be (H, W, 3) uint8 already: other meanings aren't guessed.

    Raises:
        FcaError: it is something else.
    """
    if isinstance(picture, Image.Image):
        return _rgb_of_image(picture)
    if not isinstance(picture, np.ndarray):
        raise FcaError(f"a frame is a {type(picture).__name__}", "a Pillow picture, or an array (H, W, 3) uint8")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise FcaError(f"a frame is {picture.dtype} of shape {picture.shape}", "an RGB picture: uint8 (H, W, 3)")
    return picture


def fitted(pixels: np.ndarray, width: int, height: int, mode: str) -> np.ndarray:
    """Pixels (H, W, 3) uint8 -> (height, width, 3) uint8, resized and rounded as clips are (`fca.data.resample`)."""
    resized = resize(pixels.astype(np.float32), width, height, mode)
    return np.clip(np.floor(resized + 0.5), 0, 255).astype(np.uint8)


def _rgb_of_image(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # Pillow alone cuts off at 255
    if image.mode in UNUSABLE:
        raise FcaError(f"a picture has Pillow's mode {image.mode}", "RGB, grey, palette or CMYK, with or without alpha")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    return np.asarray(image.convert("RGB"))
