"""Write the published checkpoints at a small width: their own file names, keys and configurations, random numbers."""

import json
from pathlib import Path

import sentencepiece
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import Blip2Config, Blip2ForImageTextRetrieval, T5Config, T5EncoderModel

from fca.pretrained import published as configs
from fca.pretrained.published import Settings

SENTENCES = [
    "push red block left",
    "lift blue cup and lower it",
    "Holding potato next to Vicks VapoRub bottle",
    "flip cup upright which is in sink",
    "pour water into 3 glasses, then stop",
]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "push", "red", "block", "left", "blue", "cup", "##s", "lift"]

SMALL_TRANSFORMER: Settings = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 2,
    "time_embed_dim": 16,
    "text_embed_dim": 32,
    "max_text_seq_length": 16,
    "sample_height": 4,
    "sample_width": 6,
    "sample_frames": 13,
}
SMALL_VAE: Settings = {"block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4}
SMALL_T5: Settings = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "vocab_size": 192}
SMALL_VISION: Settings = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
SMALL_QFORMER: Settings = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "encoder_hidden_size": 32,
    "max_position_embeddings": 32,
    "vocab_size": len(WORDS) + 1,
}


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2))


def save_shards(state: dict[str, Tensor], folder: Path, name: str, count: int) -> None:
    """`name`-00001-of-0000N.safetensors ... and the index of which tensor is where."""
    keys, weight_map = sorted(state), {}
    for shard in range(count):
        file = f"{name}-{shard + 1:05}-of-{count:05}.safetensors"
        part = keys[shard * len(keys) // count : (shard + 1) * len(keys) // count]
        save_file({key: state[key] for key in part}, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    total = sum(tensor.nbytes for tensor in state.values())
    write_json(folder / f"{name}.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def write_cogvideox(folder: Path, transformer: Settings, vae: Settings, scheduler: Settings, shards: int) -> Path:
    """The five parts of a CogVideoX checkpoint; the text encoder in two shards, the transformer in `shards`."""
    torch.manual_seed(0)
    for part in ("transformer", "vae", "text_encoder", "tokenizer", "scheduler"):
        (folder / part).mkdir(parents=True)
    settings = transformer | SMALL_TRANSFORMER
    state = CogVideoXTransformer3DModel.from_config(settings).half().state_dict()
    write_json(folder / "transformer" / "config.json", settings)
    if shards > 1:
        save_shards(state, folder / "transformer", "diffusion_pytorch_model", shards)
    else:
        save_file(state, folder / "transformer" / "diffusion_pytorch_model.safetensors")
    settings = vae | SMALL_VAE
    write_json(folder / "vae" / "config.json", settings)
    state = AutoencoderKLCogVideoX.from_config(settings).state_dict()
    save_file(state, folder / "vae" / "diffusion_pytorch_model.safetensors")
    write_json(folder / "text_encoder" / "config.json", configs.TEXT_ENCODER | SMALL_T5)
    state = T5EncoderModel(T5Config(**configs.TEXT_ENCODER | SMALL_T5)).state_dict()
    state.pop("encoder.embed_tokens.weight")  # one tensor with shared.weight, and so not in the files
    save_shards(state, folder / "text_encoder", "model", 2)
    write_t5_tokenizer(folder / "tokenizer")
    write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    return folder


def write_t5_tokenizer(folder: Path) -> None:
    """What T5's slow tokenizer saves: spiece.model and three JSON files, and no tokenizer.json."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4),
        model_prefix=str(folder / "spiece"),
        vocab_size=80,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (folder / "spiece.vocab").unlink()
    size = sentencepiece.SentencePieceProcessor(str(folder / "spiece.model")).vocab_size()
    sentinels = {f"<extra_id_{number}>": size + 99 - number for number in range(100)}
    write_json(folder / "added_tokens.json", sentinels)
    marks = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    specials = {name: {"content": text} | marks for name, text in T5_MARKS.items()}
    write_json(folder / "special_tokens_map.json", {"additional_special_tokens": list(sentinels)} | specials)
    texts = {"<pad>": 0, "</s>": 1, "<unk>": 2} | sentinels
    known = {str(row): {"content": text} | marks | {"special": True} for text, row in texts.items()}
    settings = {
        "add_prefix_space": True,
        "added_tokens_decoder": known,
        "additional_special_tokens": list(sentinels),
        "clean_up_tokenization_spaces": True,
        "extra_ids": 100,
        "legacy": True,
        "model_max_length": 226,
        "sp_model_kwargs": {},
        "tokenizer_class": "T5Tokenizer",
    }
    write_json(folder / "tokenizer_config.json", settings | T5_MARKS)


T5_MARKS = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def write_blip2(folder: Path) -> tuple[Path, Blip2ForImageTextRetrieval]:
    """blip2-itm-vit-g: the whole network, of which only three parts are ever read, and BERT's tokenizer."""
    torch.manual_seed(1)
    folder.mkdir(parents=True)
    vision = configs.BLIP2["vision_config"] | SMALL_VISION
    qformer = configs.BLIP2["qformer_config"] | SMALL_QFORMER
    settings = configs.BLIP2 | {"vision_config": vision, "qformer_config": qformer, "image_text_hidden_size": 8}
    network = Blip2ForImageTextRetrieval(Blip2Config.from_dict(settings))
    with torch.no_grad():
        for parameter in network.parameters():  # some begin as zeros or ones, which would hide a mix-up
            parameter.add_(0.02 * torch.randn_like(parameter))
    write_json(folder / "config.json", settings)
    save_file(network.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    image = configs.IMAGE_PROCESSOR | {"size": {"height": 32, "width": 32}}
    write_json(folder / "preprocessor_config.json", image)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    write_json(folder / "added_tokens.json", {"[DEC]": len(WORDS)})
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    marks |= {"mask_token": "[MASK]", "bos_token": "[DEC]"}
    write_json(folder / "special_tokens_map.json", marks)
    settings = {
        "clean_up_tokenization_spaces": True,
        "do_basic_tokenize": True,
        "do_lower_case": True,
        "model_max_length": 512,
        "never_split": None,
        "padding_side": "left",  # a checkpoint may say so; text is padded on the right here, as in BLIP-2's training
        "processor_class": "Blip2Processor",
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "tokenizer_class": "BertTokenizer",
        "truncation_side": "right",
    }
    write_json(folder / "tokenizer_config.json", settings | marks)
    return folder, network
