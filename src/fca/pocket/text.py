"""The text side of the pocket base: a tokenizer, and a T5 encoder of small width."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast, T5Config, T5EncoderModel

TEXT_TOKENS = 16
TEXT_WIDTH = 64


def build_tokenizer(captions: list[str]) -> PreTrainedTokenizerFast:
    """A unigram tokenizer like T5's: words of the captions are one piece, anything else is spelled in letters.

    Padding (id 0), end of sentence (1) and unknown (2) have T5's ids; every text ends with `</s>`. The pieces are set,
    not learned, because a trained unigram model prunes whole words from so small a vocabulary.
    """
    words = sorted({word for caption in captions for word in caption.split()})
    pieces = [(special, 0.0) for special in ("<pad>", "</s>", "<unk>")]
    pieces += [(f"\u2581{word}", -1.0) for word in words]
    pieces += [(letter, -10.0) for letter in ["\u2581", *map(chr, range(33, 127))]]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=TEXT_TOKENS
    )


def build_text_encoder(vocabulary: int) -> T5EncoderModel:
    """The encoder of T5 v1.1 (gated GELU) with two layers of width 64; trained with the pocket transformer."""
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary,
            d_model=TEXT_WIDTH,
            d_kv=16,
            d_ff=128,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            is_encoder_decoder=False,
            use_cache=False,
        )
    )


def load_tokenizer(root: Path, captions: list[str]) -> PreTrainedTokenizerFast:
    """The tokenizer in `root`/tokenizer, built from the captions if it isn't there or lacks one of their words."""
    folder = root / "tokenizer"
    if (folder / "tokenizer.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(folder)
        words = {word for caption in captions for word in caption.split()}
        if all(f"\u2581{word}" in tokenizer.get_vocab() for word in words):
            return tokenizer
    build_tokenizer(captions).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def tokenize(tokenizer: PreTrainedTokenizerFast, captions: list[str]) -> torch.Tensor:
    """Token ids (n, 16) of captions, padded."""
    tokens = tokenizer(captions, padding="max_length", max_length=TEXT_TOKENS, truncation=True, return_tensors="pt")
    return tokens.input_ids


@torch.no_grad()
def prompt_embeddings(root: Path, captions: list[str]) -> torch.Tensor:
    """T5 embeddings (n, 16, width) of captions, from the pocket base in `root`."""
    tokenizer = AutoTokenizer.from_pretrained(root / "tokenizer")
    text_encoder = T5EncoderModel.from_pretrained(root / "text_encoder", dtype=torch.float32).eval()
    return text_encoder(tokenize(tokenizer, captions))[0]
