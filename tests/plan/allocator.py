"""What the CPU's allocator gives out while something runs, as torch's profiler sees it."""

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile


def allocated(run: Callable[[], object]) -> int:
    """The peak of bytes above those at the start."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak
