"""Pictures and videos in, videos and pictures out: exact if possible, refused by name otherwise."""

import os
import subprocess
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fca.errors import FcaError
from fca.pretrained.exported import ExportedModel
from fca.sample.media import check_out, read_start, save
from fca.sample.picture import fitted, rgb
from fca.video.frame_selection import cast, cast_plan
from fca.video.write import write_video
from tests.data.corpora import ramp
from tests.data.corpora import write_video as write_source

SHIPPED = Path(__file__).resolve().parents[2] / "config/pocket-base/adapter"
EXPORTED = ExportedModel.read(SHIPPED)


def gradient(width: int = 40, height: int = 30) -> np.ndarray:
    """A smooth picture whose corners all differ."""
    y, x = np.mgrid[:height, :width]
    return np.stack([255 * x // width, 255 * y // height, np.full_like(x, 60)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_pictures(tmp_path: Path, suffix: str) -> None:
    files = [tmp_path / f"{number}.{suffix}" for number in (0, 1)]
    for number, file in enumerate(files):
        Image.fromarray(gradient(40 + number)).save(file, quality=95)
    first, second = read_start(files, EXPORTED)
    assert first.shape == (30, 40, 3)
    assert second.shape == (30, 41, 3)
    assert np.abs(first.astype(int) - gradient()).mean() < (4 if suffix != "png" else 0.01)


def test_a_picture_is_turned_as_the_camera_was(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn right to look at it"
    Image.fromarray(gradient()).save(tmp_path / "p.png", exif=exif)
    [pixels] = read_start([tmp_path / "p.png"], EXPORTED)
    np.testing.assert_array_equal(pixels, np.rot90(gradient(), -1))


def test_grey_palette_alpha_and_sixteen_bits(tmp_path: Path) -> None:
    grey = np.broadcast_to(gradient()[..., :1], (30, 40, 3))
    alpha = np.dstack([gradient(), np.zeros((30, 40), np.uint8)])
    alpha[:, :20, 3] = 255
    pictures = {
        "grey": (Image.fromarray(gradient()[..., 0]), grey),
        "sixteen": (Image.fromarray(gradient()[..., 0].astype(np.uint16) << 8), grey),
        "palette": (Image.fromarray(grey).quantize(256), grey),
        "alpha": (Image.fromarray(alpha), np.where(alpha[..., 3:] > 0, gradient(), 255)),
    }
    for name, (picture, expected) in pictures.items():
        picture.save(tmp_path / f"{name}.png")
        [pixels] = read_start([tmp_path / f"{name}.png"], EXPORTED)
        assert np.abs(pixels.astype(int) - expected).max() <= 2, name


def test_arrays_and_pictures_that_are_no_frames() -> None:
    for wrong in (gradient()[..., 0], gradient().astype(float), "start.png", None, np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(FcaError, match="a frame is"):
            rgb(wrong)
    with pytest.raises(FcaError, match="mode F"):
        rgb(Image.new("F", (4, 4)))


def test_fitting_follows_the_rule() -> None:
    assert fitted(gradient(), 96, 64, "stretch").shape == (64, 96, 3)
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 13:27] = 255
    assert fitted(wide, 16, 16, "crop").min() == 255
    assert fitted(wide, 16, 16, "stretch").min() == 0
    np.testing.assert_array_equal(fitted(gradient(), 40, 30, "stretch"), gradient())
    picture = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    for mode in ("stretch", "crop"):  # a picture becomes what the first frame of a clip becomes
        as_clip = cast({0: picture}, cast_plan(1, 1), 40, 30, mode)[0]
        np.testing.assert_array_equal(fitted(picture, 40, 30, mode), as_clip)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("webm", "libvpx-vp9")])
@pytest.mark.parametrize(("trained_with", "count"), [(None, 1), (1, 1), (2, 2)])
def test_the_start_of_a_video(tmp_path: Path, suffix: str, codec: str, trained_with: int | None, count: int) -> None:
    write_source(tmp_path / f"v.{suffix}", ramp(9), codec)
    frames = read_start([tmp_path / f"v.{suffix}"], EXPORTED.model_copy(update={"initial_frames": trained_with}))
    assert [round(frame.mean() / 4) for frame in frames] == list(range(count))


def test_an_animated_gif_is_a_video(tmp_path: Path) -> None:
    write_video(ramp(9), tmp_path / "v.gif")
    frames = read_start([tmp_path / "v.gif"], EXPORTED.model_copy(update={"initial_frames": 2}))
    assert [round(frame.mean() / 4) for frame in frames] == [0, 1]


def test_what_is_no_start_is_named(tmp_path: Path) -> None:
    Image.fromarray(gradient()).save(tmp_path / "good.png")
    Image.fromarray(gradient(400, 300)).save(tmp_path / "long.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "long.jpg").read_bytes()[:2000])
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:80])
    write_source(tmp_path / "v.webm", ramp(50))
    (tmp_path / "cut.webm").write_bytes((tmp_path / "v.webm").read_bytes()[:900])
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    pages = [Image.fromarray(gradient() // shade) for shade in (1, 2)]
    pages[0].save(tmp_path / "moving.webp", save_all=True, append_images=pages[1:])
    write_source(tmp_path / "short.mp4", ramp(1), "libx264")
    named = {
        ("missing.png",): "no such file",
        ("folder",): "it is a folder",
        ("empty.png",): "the file is empty",
        ("text.jpg",): "no readable picture",
        ("notes.txt",): "no readable picture and no usable video",
        ("cut.jpg",): "can't be read",
        ("cut.png",): "can't be read",
        ("cut.webm",): "truncated|not a readable|no video frame",
        ("moving.webp",): "it is an animation",
        ("good.png", "v.webm"): "v.webm: it is no picture, and a video must be the only file",
    }
    for names, message in named.items():
        with pytest.raises(FcaError, match=message) as caught:
            read_start([tmp_path / name for name in names], EXPORTED)
        assert str(tmp_path) in caught.value.problem
        assert caught.value.expected
    with pytest.raises(FcaError, match="3 frames were given"):
        read_start([tmp_path / "good.png"] * 3, EXPORTED)
    two = EXPORTED.model_copy(update={"initial_frames": 2})
    with pytest.raises(FcaError, match=r"1 frame was given\nexpected: as many as in the model's training: 2"):
        read_start([tmp_path / "good.png"], two)
    with pytest.raises(FcaError, match="it has 1"):
        read_start([tmp_path / "short.mp4"], two)


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    for side in (9_000, 20_000):
        Image.new("1", (side, side)).save(tmp_path / "huge.png")
        with pytest.raises(FcaError, match="pixels"):
            read_start([tmp_path / "huge.png"], EXPORTED)


@pytest.fixture
def clip() -> np.ndarray:
    """A bright square that moves over a gradient, (16, 64, 96, 3)."""
    frames = np.tile(gradient(96, 64), (16, 1, 1, 1))
    for number in range(16):
        frames[number, 20:40, 4 * number : 4 * number + 20] = (250, 30, 30)
    return frames


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "h264"), ("webm", "vp9")])
def test_videos_have_every_frame_at_its_time(clip: np.ndarray, tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"new/next.{suffix}"
    check_out(path, 96, 64, 10)
    write_video(clip, path, 10)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert codec in context.name
        assert context.pix_fmt == "yuv420p"
        decoded = list(container.decode(video=0))
    assert [float(frame.time) for frame in decoded] == pytest.approx([number / 10 for number in range(16)])
    frames = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]).astype(float)
    assert np.abs(frames - clip).mean() < 6
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_gif(clip: np.ndarray, tmp_path: Path) -> None:
    write_video(clip, tmp_path / "next.gif", 10)
    with Image.open(tmp_path / "next.gif") as image:
        assert image.n_frames == 16
        assert image.info["duration"] == 100
        image.seek(9)
        assert np.abs(np.asarray(image.convert("RGB")).astype(float) - clip[9]).mean() < 12


def test_a_folder_of_pictures_is_exact_and_may_be_written_again(clip: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    for frames in (clip, clip[:8]):
        check_out(folder, 96, 64, 8)
        write_video(frames, folder)
        assert sorted(path.name for path in folder.iterdir()) == [f"frame_{n:04d}.png" for n in range(len(frames))]
        np.testing.assert_array_equal(read_start([folder / "frame_0007.png"], EXPORTED)[0], frames[7])


def test_what_would_be_lost_or_cannot_be_written_is_refused(tmp_path: Path, monkeypatch) -> None:
    photo, file = tmp_path / "photos/cat.png", tmp_path / "frame.gif"
    photo.parent.mkdir()
    for path in (photo, file, tmp_path / "notes"):
        path.touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for path, message in {
        photo.parent: "it holds cat.png",
        Path("."): "the working directory",
        tmp_path / "next.avi": "can't be written as .avi\nexpected: .mp4, .webm, .gif",
        tmp_path / "next.png": "can't be written as .png",
        tmp_path / "notes": "it is a file",
        tmp_path / "notes/next.mp4": "notes",
        Path("/proc/next.mp4"): "/proc/next.mp4 can't be written",
        file: "also read from",
    }.items():
        with pytest.raises(FcaError, match=message):
            check_out(path, 96, 64, 8, [file])
    (tmp_path / "d.mp4").mkdir()
    with pytest.raises(FcaError, match="is a folder"):
        check_out(tmp_path / "d.mp4", 96, 64, 8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.mp4", "empty", "frame.gif", "notes", "photos"]
    for rate in (0, 61):
        with pytest.raises(FcaError, match="frames in a second"):
            check_out(tmp_path / "e.mp4", 96, 64, rate)


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "a\0b.png"])
def test_a_name_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="can't be opened"):
        read_start([tmp_path / name], EXPORTED)
    with pytest.raises(FcaError, match="can't be opened"):
        check_out(tmp_path / name.replace(".png", ".mp4"), 96, 64, 8)


@pytest.mark.parametrize("name", ["new/deep/a.mp4", "a.webm", "old.GIF", "old", "12:30 %d é.mp4"])
def test_a_path_is_proven_without_a_trace(tmp_path: Path, clip: np.ndarray, name: str) -> None:
    for path in (tmp_path / "old.GIF", tmp_path / "old"):
        write_video(clip, path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    check_out(tmp_path / name, 96, 64, 8)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    save(clip, tmp_path / name, 8)


def test_what_only_a_written_frame_shows(tmp_path: Path) -> None:
    """A name too long for the file next to it; a size that the encoder refuses."""
    with pytest.raises(FcaError, match="can't be written: File name too long"):
        check_out(tmp_path / f"{'x' * 245}.mp4", 96, 64, 8)
    with pytest.raises(FcaError, match=r"next.webm can't be written: "):
        check_out(tmp_path / "next.webm", 70_000, 16, 8)
    assert list(tmp_path.iterdir()) == []


def test_a_mount_point_is_refused(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with pytest.raises(FcaError, match="mounted can't be written: Device or resource busy"):
            check_out(mounted, 96, 64, 8)
        assert [path.name for path in tmp_path.iterdir()] == ["mounted"]
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a moment")
def test_another_users_video_in_a_shared_folder_is_refused(clip: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as shared:
        os.chmod(shared, 0o1777)
        path = Path(shared, "next.mp4")
        write_video(clip, path)
        os.seteuid(65534)
        try:
            with pytest.raises(FcaError, match=r"next\.mp4 can't be written: Operation not permitted"):
                check_out(path, 96, 64, 8)
            check_out(path.with_name("mine.mp4"), 96, 64, 8)
        finally:
            os.seteuid(0)
        assert [path.name for path in Path(shared).iterdir()] == ["next.mp4"]


def test_what_is_there_is_never_touched_by_the_proof(tmp_path: Path, clip: np.ndarray, monkeypatch) -> None:
    """An interruption at any moment before the model has predicted can't take the video of yesterday."""
    write_video(clip, tmp_path / "next.mp4")
    kept, moved = (tmp_path / "next.mp4").read_bytes(), []
    for name in ("rename", "replace", "unlink", "remove"):
        original = getattr(os, name)

        def noted(path: Path, *others: Path, original=original, **options: object) -> None:
            moved.append(Path(path).name)
            original(path, *others, **options)

        monkeypatch.setattr(os, name, noted)
    check_out(tmp_path / "next.mp4", 96, 64, 8)
    assert moved
    assert "next.mp4" not in moved
    assert (tmp_path / "next.mp4").read_bytes() == kept


def test_a_video_is_kept_elsewhere_if_its_place_is_gone(tmp_path: Path, clip: np.ndarray, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out = tmp_path / "folder/next.mp4"
    check_out(out, 96, 64, 8)
    out.parent.touch()  # while the video was computed, the folder's name was taken
    with pytest.raises(FcaError, match=r"next\.mp4 can't be written: .*\nremedy: the video is in ") as caught:
        save(clip, out, 8)
    with av.open(caught.value.remedy.removeprefix("the video is in ")) as container:
        assert len(list(container.decode(video=0))) == 16
