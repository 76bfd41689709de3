"""The questions of `snakemake evidence`: which rows are compared, and what the paper says about them.

A row is a variant of the experiment's own scale, or `SCALE:VARIANT` of another one (config/pocket-17.yaml).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One question, asked by comparing pairs of rows on the same clips and from the same noise."""

    name: str
    question: str
    pairs: tuple[tuple[str, str], ...]
    """The first row of a pair is the one that the paper finds better, if it says so"""
    claim: str = ""
    """What the paper says; empty: it doesn't ask this"""
    note: str = ""
    """What the reader must know to read the answer"""
    words: tuple[str, str, str] | None = None
    """Answers if the first row is better in every pair, if it never is, and if it is in some; None: general ones"""
    paired: bool = True
    """Whether both rows predict the same frames, so that their scores can be compared clip by clip"""


FCA = "fca_ablation"
QUESTIONS = (
    Question(
        "adaptation",
        "Does FCA learn anything?",
        ((FCA, "base"), (FCA, "repeat")),
        note="The base never sees the initial frames; copying the last of them is the baseline that knows nothing of"
        " the caption.",
        words=("Yes.", "No.", "In part."),
    ),
    Question(
        "lora",
        "Is LoRA behind FCA?",
        ((FCA, "lora"), ("no_ftc", "lora")),
        "LoRA is far behind (Table 3: FVD 354.9; FCA 94.1, without FTC 152.3).",
    ),
    Question(
        "uniform",
        "Does frame-wise text from one module for all layers hurt?",
        (("no_ftc", "uniform"), ("no_ftc", "uniform_refined")),
        "A uniform module is worse than none (Table 3: 157.2 and 155.2, without 152.3).",
    ),
    Question(
        "layer_wise",
        "Does a module in each layer help?",
        (("no_mask", "uniform"), ("no_mask", "no_ftc")),
        "Layer-wise modules are better than a uniform one or none (Table 3: 117.6; 157.2 and 152.3).",
    ),
    Question("mask", "Does the mask help?", ((FCA, "no_mask"),), "It does (Table 3: 94.1, without 117.6)."),
    Question("pre_norm", "Does the pre-norm help?", ((FCA, "no_pre_norm"),), "It does (Table 4: 94.1, without 105.4)."),
    Question(
        "scale",
        "Does training fail if the output's scale starts at 1?",
        ((FCA, "scale_one"),),
        "It fails; the scale must start small, such as 0.1 (section 4.3, Figure 7).",
    ),
    Question(
        "copies",
        "Does a ControlNet copy the frame?",
        (("controlnet_repeated", "repeat"), ("controlnet_zeros", "repeat")),
        "It copies the frame and shows no motion (section 4.3, Figure 6).",
        "A copy would have the scores of the last frame's: it finds no task, and its PSNR is hard to beat.",
        ("By FVD it is better than a copy.", "By FVD it is worse than a copy.", "By FVD one of the two is better."),
    ),
    Question(
        "capacity",
        "Is it the number of weights or the design?",
        ((FCA, "lora_160"), ("no_ftc_small", "lora")),
        "LoRA fails probably because it has too few weights (section 1).",
        "LoRA of rank 160 has as many weights as FCA; FCA without FTC, of one head, as many as LoRA of rank 16. With"
        " FTC, whose Q-Formers have weights of their own, FCA can't be as small without changing its design.",
        ("It is the design: FCA is better with as many weights.", "LoRA is better with as many weights.", "In part."),
    ),
    Question(
        "longer",
        "Does twice the training change the order?",
        ((f"pocket_longer:{FCA}", "pocket_longer:lora_160"),),
        note="2,400 steps of FCA and of LoRA with as many weights, as after 1,200 the loss of FCA still falls.",
    ),
    Question(
        "fewer",
        "Does FCA need all of its weights?",
        ((FCA, "fca_small"), ("fca_small", "lora_160")),
        note="FCA with one head in its parallel attention has 60 % of FCA's weights, and of those of LoRA of rank 160.",
    ),
    Question(
        "controlnet",
        "Is FCA better than a ControlNet?",
        ((FCA, "controlnet_repeated"), (FCA, "controlnet_zeros"), ("no_ftc", "controlnet_repeated")),
    ),
    Question("rank", "Does LoRA gain by its rank?", (("lora", "lora_4"), ("lora_64", "lora"), ("lora_160", "lora_64"))),
    Question(
        "small_scales",
        "Does a smaller first scale change anything?",
        ((FCA, "scale_small"), (FCA, "scale_zero")),
        note="With a scale fixed at 0 the model is the base, whatever is trained: see that row.",
    ),
    Question("gate", "Before or after the block's gate?", ((FCA, "after_gate"),)),
    Question("t_ref", "Does the reference timestep matter?", ((FCA, "t_ref_0"), (FCA, "t_ref_19"), (FCA, "t_ref_200"))),
    Question(
        "guidance",
        "Which guidance?",
        ((FCA, "guidance_1"), (FCA, "guidance_4"), (FCA, "guidance_6")),
        note="FCA's weights, sampled with another guidance; its own is 2. They were trained again for this, by later"
        " code, and had an FVD within 1.5 of the first ones (log, 2026-12-01).",
    ),
    Question(
        "initial_frames",
        "One initial frame or two?",
        ((FCA, f"pocket_one_frame:{FCA}"),),
        note="With one, a frame more is predicted, so only scores of the same name are compared.",
    ),
    Question(
        "frames",
        "16 frames or 17?",
        ((f"pocket_17:{FCA}", FCA),),
        note="The 17 frames are sampled at other moments of the same clips, so the scores are listed and not compared.",
        paired=False,
    ),
)
