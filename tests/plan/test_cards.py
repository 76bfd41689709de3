"""`fca plan --cards`: the largest stage decides, offloading is counted as it happens, a card keeps a reserve."""

import json

import pytest
import torch
from torch import nn

from fca.cli.main import main
from fca.errors import FcaError
from fca.plan.cards import CARDS, NEVER, WORKSPACE, Cards, _first, cards, cards_as_text
from fca.plan.frozen import Part, vae_decoding
from fca.plan.networks import networks
from fca.plan.work import Stages, predicting
from fca.sample import FCAPipeline
from tests.sample.exported import write_model

GIB = 2**30


def stages(**peaks: int) -> Stages:
    """Stages whose weights are 10, 20, 40 and 80 bytes; the VAE comes twice."""
    weights = {"text": 10, "vision": 20, "start": 40, "denoising": 80, "decoding": 40}
    return Stages(*(Part(held, held + peaks.get(name, 1), 0.0, 0) for name, held in weights.items()))


@pytest.mark.parametrize(
    "peaks, together, offloaded, without_captions",
    [
        ({"text": 500}, 650, 510, 121),
        ({"vision": 500}, 650, 520, 520),
        ({"start": 500}, 650, 560, 560),  # the ViT is still there
        ({"denoising": 500}, 650, 620, 620),  # the VAE, too
        ({"decoding": 500}, 650, 540, 540),
    ],
)
def test_the_largest_stage_decides(peaks, together, offloaded, without_captions):
    found = stages(**peaks)
    assert found.together() == together
    assert found.offloaded() == offloaded
    assert found.offloaded(captions=False) == without_captions


def test_the_order_in_which_networks_leave(random_base, tmp_path):
    """What `Stages.offloaded` counts: each network makes only the one before it leave."""
    write_model(tmp_path, random_base)
    pipeline = FCAPipeline.from_pretrained(tmp_path)
    pipeline.enable_model_cpu_offload(device="cpu")
    parts = {name: getattr(pipeline, name) for name in ("text_encoder", "image_encoder", "transformer", "vae")}

    def names(model: nn.Module) -> str:
        return next((name for name, part in parts.items() if part in (model, *model.children())), "another")

    before = {names(hook.model): hook.hook.prev_module_hook for hook in pipeline._all_hooks}
    assert names(before["transformer"].model) == "image_encoder", "the VAE stays while the transformer works"
    assert names(before["vae"].model) == "transformer", "the ViT stays while the VAE encodes the initial frames"


def test_weights_and_stages_are_those_of_the_networks(project):
    own = networks(project.base)
    found = predicting(project, "ssv2", "fca", own, tiling=False)
    for part, network in ((found.text, own.text), (found.vision, own.vision), (found.decoding, own.vae)):
        numbers = sum(each.numel() for each in (*network.parameters(), *network.buffers()))
        tied = own.text.shared.weight.numel() if network is own.text else 0  # on the meta device it is there twice
        assert part.weights == 4 * (numbers - tied)
        assert part.activations > 0
    assert found.denoising.weights > 4 * sum(each.numel() for each in own.transformer.parameters())  # and the adapter
    assert found.start.activations < found.decoding.activations
    tiled = predicting(project, "ssv2", "fca", own, tiling=True)
    assert tiled.denoising == found.denoising
    assert tiled.decoding.weights == found.decoding.weights


@pytest.mark.slow
def test_tiling_takes_the_memory_of_a_part(project):
    """At twice the size in both directions it takes hardly more: the picture itself, not the activations."""
    own = networks(project.base)
    small, large = (
        project.model_copy(update={"clip": project.clip.model_copy(update={"height": height, "width": width})})
        for height, width in ((64, 96), (128, 192))
    )
    peaks = [vae_decoding(each, own, torch.bfloat16, tiling).activations
             for each in (small, large) for tiling in (False, True)]  # fmt: skip
    assert peaks[1] < 0.5 * peaks[0]
    assert peaks[2] == pytest.approx(4 * peaks[0], rel=0.05)
    assert peaks[3] < 2 * peaks[1]


def test_a_card_takes_the_first_that_leaves_a_reserve():
    peaks = {"fast": 10 * GIB, "slow": 5 * GIB}
    assert _first(peaks, 10 + WORKSPACE) == "fast"
    assert _first(peaks, 10 + WORKSPACE - 0.01) == "slow"
    assert _first(peaks, 5 + WORKSPACE - 0.01) == NEVER
    assert all(found < sold for sold, found in CARDS.items())


def test_the_cards_of_a_configuration(project, tmp_path, capsys):
    path = tmp_path / "small.yaml"
    path.write_text(json.dumps(project.model_dump(mode="json")))
    assert main(["plan", "-c", str(path), "--cards", "--json", "--clips-per-second", "train=2"]) == 0
    found = Cards(**json.loads(capsys.readouterr().out))
    fast, *_, slow = found.training.values()
    assert next(iter(found.training)) == "checkpointed_layers: 0"
    assert fast > slow
    assert found.fits["24"] == ["checkpointed_layers: 0", "all networks on it"]  # it is small
    text = cards_as_text(found)
    assert "2 clips per second, as requested" in text
    assert "add --clips-per-second train=RATE" in text


def test_without_a_trained_variant_there_are_no_cards(project):
    with pytest.raises(FcaError, match="no variant is trained"):
        cards(project.model_copy(update={"variants": {"base": project.variant("base")}}))


def test_the_table_names_what_fits_each_card():
    found = Cards("paper: fca on ssv2", {"layers: 0": 30 * GIB}, {"whole": 20 * GIB, "less": 9 * GIB},
                  {24: (NEVER, "whole"), 40: ("layers: 0", "whole")}, ["no rate"])  # fmt: skip
    lines = [line.split() for line in cards_as_text(found).splitlines()]
    assert ["24", "GB", "nothing", "fits", "whole"] in lines
    assert ["40", "GB", "layers:", "0", "whole"] in lines
