"""A toy format: a folder of frames for each clip, and `list.txt` with a line `split folder caption` for each."""

from fca.data.clip_record import ClipRecord, Listing
from fca.data.datasets.reader import Publication, Reader


class Frames(Reader):
    publication = Publication("folders of frames and list.txt into one folder", "the terms they came with")
    frame_name = "{:03d}.jpg"

    def annotation_files(self, raw):
        return [raw / "list.txt"]

    def media_names(self, raw):
        return (line.split(" ", 2)[1] for line in (raw / "list.txt").read_text().splitlines())

    def index(self, raw, dataset, settings, seed):
        rows = [line.split(" ", 2) for line in (raw / "list.txt").read_text().splitlines()]
        numbers = {name: list(range(len(list((raw / name).glob("*.jpg"))))) for _, name, _ in rows}
        records = [ClipRecord(n, dataset, split, text, n, numbers[n], len(numbers[n])) for split, n, text in rows]
        return Listing(records, [])


READER = Frames()
