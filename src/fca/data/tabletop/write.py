"""Writers that put a seeded tabletop corpus on disk in three datasets' own formats, for the same readers.

Each takes a root folder that must not hold anything yet, shows a progress bar and returns None; the same
arguments give the same bytes. Kept apart from the package's front so that drawing needs no video library.
"""

from fca.data.tabletop.write_bridge import write_bridge
from fca.data.tabletop.write_epic import write_epic
from fca.data.tabletop.write_ssv2 import write_ssv2

__all__ = ["write_bridge", "write_epic", "write_ssv2"]
