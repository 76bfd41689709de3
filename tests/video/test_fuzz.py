"""A thousand damaged videos: each is read right or refused with a reason, in time, and the decoder lives on.

Codecs have no checksums, so damage inside a coded picture may go unnoticed: that picture and those predicted from it
are unreadable here, or look like a picture that they are predicted from. No other frame may be given for the right one.
"""

import gc
import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from fca.artifacts.quarantine import ClipError
from fca.data.clip_pixels import Shape, resample_clip
from fca.data.clip_record import ClipRecord
from fca.video.decode import count_frames
from fca.video.workers import call_apart
from tests.video.numbered import HEIGHT, WIDTH, Recipe, even, numbered, numbers, write

SHAPE = Shape(64, WIDTH, HEIGHT, "stretch")  # longer than every original: its frames are copied, grey follows
SOURCES = [("libvpx-vp9", "webm"), ("libvpx", "webm"), ("libx264", "mp4"), ("mpeg4", "avi"), ("libx264", "mkv")]
SOURCES += [("libx265", "mkv"), ("mpeg2video", "ts"), ("libx265", "mp4")]
B_FRAMES = 2
PICTURE_DAMAGES = {"flip", "zero", "huge", "insert"}  # may lie inside coded pictures and leave the file's structure
DAMAGES = ["truncate", "flip", "zero", "huge", "swap", "insert", "text", "empty", "playlist", "rename"]
NUMBERS = [b"moov", b"mdat", b"tkhd", b"avc1", b"stts", b"stsz", b"stco", b"avih", b"strf", b"movi", b"idx1"]
NUMBERS += [b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75", b"\xe0", b"\xb0", b"\xba", b"\xa3"]
SECONDS = 10.0


def damaged(data: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """A file's bytes with one kind of damage."""
    whole = bytearray(data)
    place = int(rng.integers(len(whole)))
    match kind:
        case "truncate":
            return data[:place]
        case "flip":
            for _ in range(int(rng.integers(1, 40))):
                whole[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        case "zero":
            length = int(rng.integers(1, 1 + len(whole) // 4))
            whole[place : place + length] = bytes(len(whole[place : place + length]))
        case "huge":  # a size or a number of a header: of MP4's boxes, AVI's chunks, Matroska's elements
            places = [data.find(name) for name in NUMBERS if name in data]
            place = places[int(rng.integers(len(places)))] + int(rng.integers(-4, 28))
            place = max(0, min(place, len(whole) - 4))
            whole[place : place + 4] = b"\x7f\xff\xff\xff" if rng.random() < 0.5 else b"\xff\xff\xff\xff"
        case "swap":
            other = int(rng.integers(len(whole)))
            first, second = sorted((place, other))
            return bytes(whole[second:] + whole[first:second] + whole[:first])
        case "insert":
            return data[:place] + rng.bytes(int(rng.integers(1, 5000))) + data[place:]
        case "text":
            return b"\n".join(rng.bytes(20).hex().encode() for _ in range(50))
        case "empty":
            return b""
        case "playlist":
            lists = [
                "ffconcat version 1.0\nfile self.mp4\nfile self.mp4\n",
                "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\nself.m3u8\n#EXT-X-ENDLIST\n",
                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
                "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='dynamic'></MPD>",
            ]
            return lists[int(rng.integers(len(lists)))].encode()
    return bytes(whole)


def noisy(number: int) -> np.ndarray:
    """A numbered frame that takes more bytes."""
    noise = np.random.default_rng(number).integers(-12, 12, (HEIGHT, WIDTH, 3))
    return np.clip(numbered(number) + noise, 0, 255).astype(np.uint8)


def check_frames(clip: np.ndarray, length: int, damage: str) -> str:
    """What a decoded clip is; an AssertionError if it is wrong without anyone being told."""
    shown = numbers(clip[:length])
    if shown == list(range(length)):
        return "right"
    assert damage in PICTURE_DAMAGES, (damage, shown)
    readable = [(index, number) for index, number in enumerate(shown) if number is not None]
    assert all(number <= index + B_FRAMES + 1 for index, number in readable), (damage, shown)
    return "damaged pictures"


def corpus(folder: Path, count: int, seed: int) -> list[tuple[str, ClipRecord]]:
    """Files below `folder` with their damage, all from the seed; the index says what the undamaged file had."""
    rng = np.random.default_rng(seed)
    originals = []
    for number, (codec, suffix) in enumerate(SOURCES):
        length = 20 + 5 * number
        path = folder / f"original{number}.{suffix}"
        write(path, Recipe(codec, suffix, times=even(length), b_frames=0 if "vp" in codec else B_FRAMES), noisy)
        originals.append((path.read_bytes(), suffix, length))
    found = []
    for number in range(count):
        kind = DAMAGES[number % len(DAMAGES)]
        data, suffix, length = originals[int(rng.integers(len(originals)))]
        if kind in ("rename", "playlist") or rng.random() < 0.1:
            suffix = ["webm", "mp4", "jpg", "m3u8", "txt", "sdp", "gif"][int(rng.integers(7))]
        name = f"{number:04d}.{suffix}"
        (folder / name).write_bytes(damaged(data, kind, rng))
        found.append((kind, ClipRecord(str(number), "fuzz", "train", "a caption", name, None, length)))
    return found


def decode(folder: Path, record: ClipRecord) -> tuple[int, np.ndarray, int, int, int]:
    """In the decoder's process: its id, the clip, and then its open files and resident memory."""
    try:
        clip, _ = resample_clip(folder, record, None, SHAPE)
    finally:
        gc.collect()
    process = psutil.Process()
    return os.getpid(), clip, process.num_fds(), process.memory_info().rss, count_frames(folder / record.media)


def check(folder: Path, count: int, seed: int) -> None:
    files = corpus(folder, count, seed)
    open_before = len(os.listdir("/proc/self/fd"))
    answers = call_apart(decode, ((folder, record) for _, record in files), 2, seconds=SECONDS)
    outcomes: dict[str, list[str]] = {kind: [] for kind in DAMAGES}
    processes: dict[int, list[tuple[int, int]]] = {}
    for (kind, record), answer in zip(files, answers, strict=True):
        if isinstance(answer, ClipError):
            assert str(answer)
            assert str(folder) not in str(answer)
            outcomes[kind].append(str(answer))
            continue
        process, clip, descriptors, memory, length = answer
        assert (clip.shape, clip.dtype, length) == ((64, HEIGHT, WIDTH, 3), np.uint8, record.length)
        outcomes[kind].append(check_frames(clip, length, kind))
        processes.setdefault(process, []).append((descriptors, memory))
    assert sum(map(len, outcomes.values())) == count
    assert set(outcomes["rename"]) == {"right"}  # the content says what it is
    for kind in ("text", "empty", "playlist"):
        assert "right" not in outcomes[kind]
    assert len(os.listdir("/proc/self/fd")) <= open_before + 1
    for values in processes.values():
        (first_files, first_memory), (last_files, last_memory) = values[len(values) // 4], values[-1]
        assert last_files <= first_files
        assert last_memory - first_memory < 40 * 2**20
    for kind, reasons in outcomes.items():  # shown with -s
        print(kind, {reason: reasons.count(reason) for reason in sorted(set(reasons))})


def test_damaged_videos(tmp_path: Path) -> None:
    check(tmp_path, 40, seed=1)


@pytest.mark.slow
def test_a_thousand_damaged_videos(tmp_path: Path) -> None:
    check(tmp_path, 1000, seed=0)
