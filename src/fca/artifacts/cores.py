"""How many cores this process may use."""

import os


def own_cores() -> int:
    """Cores that this process may run on; all of the machine on systems that can't tell, such as macOS."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
