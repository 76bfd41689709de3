"""The pocket's text side: a tokenizer, a T5 encoder's shape, and BLIP-2's text embeddings at a small width."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast, T5Config, T5EncoderModel

TEXT_TOKENS = 16
TEXT_WIDTH = 64


def build_tokenizer(captions: list[str]) -> PreTrainedTokenizerFast:
    """A unigram tokenizer like T5's: words of the captions are one piece, anything else is spelled in letters.

    Padding (id 0), end of sentence (1) and unknown (2) stand where T5 has them; every text ends with `</s>`. The pieces
    are set, not learned: a trained unigram model prunes whole words from so small a vocabulary.
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
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=TEXT_TOKENS,
    )


def build_text_encoder(vocabulary: int) -> T5EncoderModel:
    """T5 v1.1's encoder (gated GELU) with two layers of width 64; trained together with the pocket transformer."""
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
    """The tokenizer in `root`/tokenizer, made from the captions where it isn't there yet (seconds)."""
    folder = root / "tokenizer"
    if not (folder / "tokenizer.json").is_file():
        build_tokenizer(captions).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)
