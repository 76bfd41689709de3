"""From archives on a server to latents, with everything going wrong on the way that can: what comes out is what went
in, but for the clips that were spoiled, and those are named.

Clips of the library are packed and served as the real datasets are (see `tests.data.download.published`).
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fca.artifacts.check import check
from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.config.dataset import SplitSettings
from fca.data.clip_record import read_records
from fca.data.download.http import Client
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.data.resample import resample
from fca.data.verify import verify
from fca.encode.shard import encode
from fca.errors import FcaError
from fca.video.frame_selection import cast_plan
from tests.data.corpora import config_for, files_below, pretend_published, write_corpus
from tests.data.download.published import serve_bridge_tree, serve_bridge_zip, serve_epic, serve_ssv2
from tests.data.download.server import Server, serve

CLIPS = {"ssv2": (4, 3), "bridge": (12, 3), "epic": (3, 3)}
SERVE = {
    "ssv2": ("ssv2", serve_ssv2),
    "bridge zip": ("bridge", serve_bridge_zip),
    "bridge tree": ("bridge", serve_bridge_tree),
    "epic": ("epic", serve_epic),
}
Latents = dict[tuple[str, str], dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("originals")
    for form, clips in CLIPS.items():
        write_corpus(form, folder / form, *clips)
    return {form: folder / form for form in CLIPS}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(Client.__init__, "__defaults__", (5.0, 6, lambda seconds: None))  # no pause between tries
    (tmp_path / "served").mkdir()
    with serve(tmp_path / "served") as state:
        yield state


def chain_config(folder: Path, base: Path, form: str, **more) -> Config:
    """The pocket configuration with one dataset and small networks; shards of two clips."""
    folder.mkdir(exist_ok=True)
    config = config_for(folder, form, *CLIPS[form], **more)
    train, validation = (SplitSettings(clips=clips, shard_clips=2) for clips in CLIPS[form])
    dataset = config.datasets[form].model_copy(update={"train": train, "validation": validation})
    networks = config.base.model_copy(update={"model": str(base), "vision_model": str(base / "vision")})
    decode = config.decode.model_copy(update={"processes": 1})
    return config.model_copy(update={"base": networks, "datasets": {form: dataset}, "decode": decode})


def to_latents(config: Config, form: str) -> None:
    """Every step between the raw files and training."""
    build_index(config, form)
    verify(config, form)
    for shard in Layout(config).shards(form, "validation"):
        resample(config, form, "validation", shard)
        encode(config, form, "validation", shard)
    for shard in Layout(config).shards(form, "train"):
        encode(config, form, "train", shard)


def latents(config: Config, form: str) -> Latents:
    """(split, id) -> what training and sampling read of a clip."""
    found: Latents = {}
    for split in ("train", "validation"):
        for number in Layout(config).shards(form, split):
            with Shard(Layout(config).latents(form, split, number), kind="latents") as shard:
                prompts = shard["prompt"][:]
                for row, name in enumerate(shard.ids):
                    columns = ("mean", "logvar", "init_mean", "init_logvar", "vision")
                    clip = {column: shard[column][row] for column in columns}
                    tables = ("prompt_embeds", "text_embeds", "text_mask")
                    found[split, name] = clip | {table: shard[table][int(prompts[row])] for table in tables}
    return found


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Equal but for the last bits, which depend on the clips beside it in a batch."""
    return all(np.allclose(value, other[name], rtol=5e-3, atol=2e-3) for name, value in one.items())


def files(config: Config) -> dict[str, bytes]:
    root = Layout(config).root
    return {name: (root / name).read_bytes() for name in files_below(root) if "/raw/" not in name}


def spoil(raw: Path, config: Config, form: str) -> dict[tuple[str, str], str]:
    """Damage the media of one clip of each split; (split, id) -> how."""
    done = {}
    for split, way in (("train", "truncated"), ("validation", "removed")):
        record = read_records(Layout(config).index(form), split)[1]
        if form == "ssv2":
            path = raw / record.media
        else:
            frame = {"bridge": "im_{}.jpg", "epic": "frame_{:010d}.jpg"}[form]
            needed = cast_plan(record.length, config.clip.frames).needed[0]  # a clip of 16 frames doesn't need all
            path = raw / record.media / frame.format(record.frames[needed])
        if way == "truncated":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
        else:
            path.unlink()
        done[split, record.id] = way
    return done


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVE)
def test_nothing_is_lost_and_nothing_is_silently_altered(
    kind: str, tmp_path: Path, server: Server, originals, random_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, pack = SERVE[kind]
    original = chain_config(tmp_path / "original", random_base, form, root=str(originals[form]))
    pretend_published(monkeypatch, form, originals[form])
    fetch(original, form)
    to_latents(original, form)
    expected = latents(original, form)
    assert len(expected) == sum(CLIPS[form])

    # A server that drops every connection once, is busy once, and lies once about a length, in vain.
    names = pack(originals[form], server.folder)
    wanted = [path for path in server.folder.rglob("*") if path.is_file() and "another_task" not in path.parts]
    large = [path for path in wanted if path.stat().st_size > 1000]
    for path in large:
        manners = server.manners[path.relative_to(server.folder).as_posix()]
        manners.drop_after, manners.statuses = [path.stat().st_size // 2], [503]
    liar = max(large, key=lambda path: path.stat().st_size)
    server.manners[liar.relative_to(server.folder).as_posix()].claim = liar.stat().st_size + 7
    more = {"checksums": str(tmp_path / "md5.csv")} if form == "epic" else {}
    theirs = tmp_path / "theirs"
    config = chain_config(
        tmp_path / "project", random_base, form, root=str(theirs), licence_accepted=True,
        urls=[server.url + name for name in names], **more,
    )  # fmt: skip
    with pytest.raises(FcaError, match="could not be downloaded"):
        fetch(config, form)
    assert not Layout(config).raw_manifest(form).exists()
    server.manners.clear()
    fetch(config, form)
    to_latents(config, form)
    found = latents(config, form)
    assert found.keys() == expected.keys()
    for key, clip in expected.items():
        assert all(np.array_equal(value, found[key][name]) for name, value in clip.items()), key

    # A second run asks for nothing and makes the same bytes.
    before, asked = files(config), len(server.asked)
    fetch(config, form)
    to_latents(config, form)
    assert len(server.asked) == asked
    assert files(config) == before

    # Clips that go bad on the disk are named, and only they are missing.
    bad = spoil(theirs, config, form)
    shutil.rmtree(Layout(config).root / form / "latents")
    to_latents(config, form)
    rows = {(row.split, row.id): row for row in Manifest.read(Layout(config).verified(form)).quarantine}
    affected = {key for key in expected if key in rows}
    assert bad.keys() <= affected
    for key in bad:
        assert rows[key].reason
    after = latents(config, form)
    assert after.keys() == expected.keys() - affected
    assert all(same(expected[key], after[key]) for key in after)

    # A bit that flips in a shard is found, and the shard is made again to the byte.
    path = Layout(config).latents(form, "train", 1)
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes(bytes(flipped))
    _, wrong = check(config, [form], workers=1)
    assert [Path(row.path).name for row in wrong] == [path.name]
    path.unlink()
    encode(config, form, "train", 1)
    assert path.read_bytes() == content
