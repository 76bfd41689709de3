"""Tokenizers of the published sizes: every word is spelled, in pieces of letters, with the published ids of marks."""

from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from fca.encode.captions import tokens_of
from fca.errors import FcaError
from fca.pretrained.load import load_tokenizer
from fca.rehearsal.files import Files
from fca.rehearsal.tokenizers import bert_tokenizer, t5_tokenizer
from tests.pretrained.folders import SENTENCES

ROWS = {"t5": 32128, "bert": 30523}


def written(folder: Path, files: Files) -> Path:
    with tqdm(disable=True) as bar:
        for path, file in files.items():
            file.write(folder / path, bar)
    return folder


@pytest.fixture(scope="module", params=["t5", "bert"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    rows = ROWS[request.param]
    files = t5_tokenizer("t5", rows, tokens=226) if request.param == "t5" else bert_tokenizer("bert", rows)
    return load_tokenizer(written(tmp_path_factory.mktemp("tokenizers"), files) / request.param, rows)


def test_every_word_is_spelled_in_pieces_of_letters(tokenizer: Any) -> None:
    for sentence in [*SENTENCES, "zyzzyva's 3-in-1 (co-op)"]:
        tokens = tokenizer(sentence).input_ids
        assert tokenizer.unk_token_id not in tokens
        spelled = tokenizer.decode(tokens, skip_special_tokens=True).replace(" ", "")
        assert spelled.lower() == sentence.replace(" ", "").lower()
    counts = [len(tokenizer(sentence).input_ids) for sentence in SENTENCES]
    assert sum(counts) < 0.6 * len("".join(SENTENCES))


def test_the_vocabularies_are_as_large_as_published(tokenizer: Any) -> None:
    is_t5 = tokenizer.unk_token_id == 2
    assert len(tokenizer) == (32100 if is_t5 else 30523)
    assert len(set(tokenizer.get_vocab().values())) == len(tokenizer)
    assert max(tokenizer.get_vocab().values()) == len(tokenizer) - 1


def test_marks_have_the_published_ids(tokenizer: Any) -> None:
    padded = tokens_of(tokenizer, [""], 8).input_ids[0].tolist()
    assert padded == ([1] + [0] * 7 if tokenizer.unk_token_id == 2 else [101, 102] + [0] * 6)
    if tokenizer.unk_token_id == 2:
        assert tokenizer.convert_tokens_to_ids(["<pad>", "</s>", "<unk>", "<extra_id_99>"]) == [0, 1, 2, 32000]
    else:
        names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
        assert tokenizer.convert_tokens_to_ids(names) == [0, 100, 101, 102, 103, 30522]


def test_a_table_without_room_for_letters_is_refused(tmp_path: Path) -> None:
    for make in (lambda: t5_tokenizer("t5", 200, 16), lambda: bert_tokenizer("bert", 200)):
        with pytest.raises(ValueError, match="rows"):
            make()
    files = bert_tokenizer("bert", 600)
    with pytest.raises(FcaError, match="599 tokens, its embeddings have 512 rows"):
        load_tokenizer(written(tmp_path, files) / "bert", 512)
