"""Captions through both frozen text networks: one place, so that every step reads the same numbers."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from transformers import T5EncoderModel

from fca.artifacts.finite import finite
from fca.config.models import Base
from fca.encode.blip2 import Blip2Folder, CaptionEmbeddings
from fca.pretrained.load import DTYPES, base_folder, device, load_pretrained, load_tokenizer, vision_folder

NO_CAPTION = ""  # row 0 of the tables: the unconditional branch of classifier-free guidance


class TextNetworks(NamedTuple):
    """CogVideoX's T5 and BLIP-2's text embeddings, with their tokenizers and the most tokens that each reads."""

    text_encoder: T5EncoderModel
    tokenizer: Any
    text_tokens: int
    caption_embeddings: CaptionEmbeddings
    caption_tokenizer: Any
    caption_tokens: int

    @classmethod
    def load(cls, base: Base, precision: str) -> Self:
        """T5 in a precision on the device, BLIP-2's embeddings on the CPU.

        Raises:
            FcaError: a file is missing or damaged.
        """
        folder, blip2 = base_folder(base, "text_encoder", "tokenizer"), Blip2Folder(vision_folder(base))
        text_encoder = load_pretrained(T5EncoderModel, folder / "text_encoder", DTYPES[precision])
        return cls(
            text_encoder.requires_grad_(False).eval().to(device()),
            load_tokenizer(folder / "tokenizer", rows=text_encoder.config.vocab_size),
            base.text_tokens,
            blip2.caption_embeddings(),
            blip2.tokenizer,
            base.caption_tokens,
        )

    @torch.no_grad()
    def embedded(self, captions: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """T5's embeddings (n, text_tokens, width), BLIP-2's (n, caption_tokens, width), and BLIP-2's mask, on the CPU.

        T5's are padded and without a mask, as in CogVideoX. The mask is true on real tokens (of the empty caption, on
        its special ones).

        Raises:
            FcaError: a value isn't finite.
        """
        # One caption at a time: the rounding of a batch depends on its size, and a caption gives the same bits whatever
        # the others are.
        prompt_embeds = torch.cat([finite(self._prompt(each), "T5's embeddings", [each]) for each in captions])
        tokens = tokens_of(self.caption_tokenizer, list(captions), self.caption_tokens)
        text_embeds = self.caption_embeddings(tokens.input_ids.to(self.caption_embeddings.device)).float().cpu()
        finite(text_embeds, "BLIP-2's text embeddings", captions)
        return prompt_embeds, text_embeds, tokens.attention_mask.bool()

    def _prompt(self, caption: str) -> Tensor:
        tokens = tokens_of(self.tokenizer, [caption], self.text_tokens)
        return self.text_encoder(tokens.input_ids.to(self.text_encoder.device))[0].float().cpu()


def tokens_of(tokenizer: Any, captions: list[str], count: int) -> Any:
    """`input_ids` and `attention_mask` (n, count) of captions, cut off or padded to `count` tokens."""
    return tokenizer(captions, padding="max_length", max_length=count, truncation=True, return_tensors="pt")


def caption_tables(networks: TextNetworks, captions: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns of a latents shard that hold its captions.

    `prompt` (n,) int32 is each caption's row in the tables of distinct captions: `prompt_embeds` (T5) and `text_embeds`
    (BLIP-2), float16, and `text_mask`, bool.

    Raises:
        FcaError: a value isn't finite in float16.
    """
    distinct = [NO_CAPTION, *sorted(set(captions) - {NO_CAPTION})]
    row_of = {caption: row for row, caption in enumerate(distinct)}

    prompt_embeds, text_embeds, text_mask = networks.embedded(distinct)
    return {
        "prompt": np.array([row_of[caption] for caption in captions], dtype=np.int32),
        "prompt_embeds": half("prompt_embeds", prompt_embeds, distinct),
        "text_embeds": half("text_embeds", text_embeds, distinct),
        "text_mask": text_mask.numpy(),
    }


def half(name: str, value: torch.Tensor, names: Sequence[str] = ()) -> np.ndarray:
    """The numbers as float16, in which a shard stores them; `names` of the rows.

    Raises:
        FcaError: one is not finite there; it would spoil a training.
    """
    return finite(value.half(), f"{name} in float16, which holds numbers below 65504", names).numpy()
