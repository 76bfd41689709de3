"""Tokenizers with as many pieces as the published ones, made without them: T5's sentencepieces, BERT's word pieces.

Their pieces are letters, pairs of letters and triples, so any word of ASCII can be spelled: about three letters a token
instead of a whole word.
"""

import io
import string
from collections.abc import Iterator
from itertools import product

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as messages

from fca.pretrained.published import Settings
from fca.rehearsal.files import Bytes, Files, as_json

SPARE = 128
"""Rows of T5's table beyond its sentencepieces: 100 sentinels, and a rest that no token uses."""
SENTINELS = 100
T5_MARKS = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
BERT_MARKS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
              "mask_token": "[MASK]"}  # fmt: skip
START = "\u2581"
"""sentencepiece's mark of a word's first piece"""
PRINTABLE = [chr(code) for code in range(33, 127)]


def t5_tokenizer(folder: str, rows: int, tokens: int) -> Files:
    """What T5's slow tokenizer saves, for a table of `rows` embeddings and prompts of at most `tokens` tokens."""
    count = rows - SPARE
    sentinels = {f"<extra_id_{number}>": count + SENTINELS - 1 - number for number in range(SENTINELS)}
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    specials = {name: {"content": text} | flags for name, text in T5_MARKS.items()}
    known = {"<pad>": 0, "</s>": 1, "<unk>": 2} | sentinels
    settings: Settings = {
        "add_prefix_space": True,
        "added_tokens_decoder": {
            str(row): {"content": text} | flags | {"special": True} for text, row in known.items()
        },
        "additional_special_tokens": list(sentinels),
        "clean_up_tokenization_spaces": True,
        "extra_ids": SENTINELS,
        "legacy": True,
        "model_max_length": tokens,
        "sp_model_kwargs": {},
        "tokenizer_class": "T5Tokenizer",
    }

    return {
        f"{folder}/spiece.model": Bytes(_sentencepieces(count)),
        f"{folder}/added_tokens.json": as_json(sentinels),
        f"{folder}/special_tokens_map.json": as_json({"additional_special_tokens": list(sentinels)} | specials),
        f"{folder}/tokenizer_config.json": as_json(settings | T5_MARKS),
    }


def bert_tokenizer(folder: str, rows: int) -> Files:
    """What BERT's slow tokenizer saves in BLIP-2's folder, for a table of `rows` embeddings; the last is `[DEC]`."""
    words = ["[PAD]", *(f"[unused{number}]" for number in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    lower = [character for character in PRINTABLE if not character.isupper()]
    words += [*lower, *(f"##{character}" for character in lower)]
    words += _up_to(rows - 1 - len(words), starts="", rest="##")
    settings: Settings = {
        "clean_up_tokenization_spaces": True,
        "do_basic_tokenize": True,
        "do_lower_case": True,
        "model_max_length": 512,
        "never_split": None,
        "padding_side": "right",
        "processor_class": "Blip2Processor",
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "tokenizer_class": "BertTokenizer",
        "truncation_side": "right",
    }
    marks = BERT_MARKS | {"bos_token": "[DEC]"}
    return {
        f"{folder}/vocab.txt": Bytes(("\n".join(words) + "\n").encode()),
        f"{folder}/added_tokens.json": as_json({"[DEC]": len(words)}),
        f"{folder}/special_tokens_map.json": as_json(marks),
        f"{folder}/tokenizer_config.json": as_json(settings | marks),
    }


def _sentencepieces(count: int) -> bytes:
    """A unigram model of `count` pieces with T5's ids of padding, end and unknown, and its normalisation."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 4), model_writer=trained, vocab_size=80, hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    model = messages.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(trained.getvalue())
    del model.pieces[3:]  # what is left is its normaliser and the three special pieces

    letters = [START, *PRINTABLE]
    pieces = [*letters, *_up_to(count - 3 - len(letters), starts=START, rest="")]
    for piece in pieces:
        model.pieces.add(piece=piece, score=-10.0)  # equal, so that the fewest pieces make a word
    model.trainer_spec.vocab_size = count
    return model.SerializeToString(deterministic=True)


def _up_to(count: int, starts: str, rest: str) -> list[str]:
    """`count` pieces of two and three letters.

    Raises:
        ValueError: the table has no rows for letters, or more than there are pieces.
    """
    pieces = [piece for piece, _ in zip(_pieces(starts, rest), range(max(0, count)), strict=False)]
    if len(pieces) != count:
        raise ValueError(f"a table of embeddings can't have {count} rows besides those of letters")
    return pieces


def _pieces(starts: str, rest: str) -> Iterator[str]:
    for length in (2, 3):
        for prefix in (starts, rest):
            for letters in product(string.ascii_lowercase, repeat=length):
                yield prefix + "".join(letters)
