"""A video longer than a clip is predicted chunk by chunk: how long each is, and which prompt it has.

Quick to import: no torch, because `fca predict` checks what it is asked for before any network is loaded.
"""

from collections.abc import Sequence

from fca.errors import FcaError
from fca.sample.media import check_prompt

LONGEST = 10_000
"""Frames of a video."""


def chunk_lengths(frames: int | None, clip: int, initial: int, next_prompts: Sequence[str] = ()) -> list[int]:
    """New frames of each chunk of `clip` frames, of which all but the first start with `initial` known ones.

    Args:
        frames: length of the video; None: one clip.
        next_prompts: what happens in the chunks after the first, to be checked.

    Raises:
        FcaError: the number of frames can't be, a prompt can't be a caption, or there are more prompts than chunks.
    """
    frames = clip if frames is None else frames
    if not isinstance(frames, int) or isinstance(frames, bool) or not initial < frames <= LONGEST:
        raise FcaError(f"{frames!r} frames were asked for", f"a whole number from {initial + 1} to {LONGEST}")
    lengths = [min(frames, clip)]
    while sum(lengths) < frames:
        lengths.append(min(frames - sum(lengths), clip - initial))

    if isinstance(next_prompts, str):
        raise FcaError(f"next_prompts is {next_prompts!r}", "a list of sentences, one for each further chunk")
    for prompt in next_prompts:
        check_prompt(prompt)
    prompts = 1 + len(next_prompts)
    if prompts > len(lengths):
        chunks = "1 chunk" if len(lengths) == 1 else f"{len(lengths)} chunks"
        least = clip + (prompts - 2) * (clip - initial) + 1
        raise FcaError(
            f"{prompts} prompts for {chunks}: {frames} frames",
            f"at most one for each chunk; {prompts} chunks need {least} frames or more",
        )
    return lengths
