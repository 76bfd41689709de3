"""Claims of speed and memory, each against its rival in the same process: `python -m benchmarks.NAME --help`."""
