"""What a command prints, when nobody reads it any more or its disk is full."""

import os
import select
import sys
from typing import TextIO


def say(text: str) -> None:
    """Print a line; if nobody reads it any more (the `tee` behind the pipe was killed), continue without."""
    try:
        print(text, flush=True)
    except OSError:
        discard(sys.stdout)


def finish_output() -> OSError | None:
    """Write what is still in the buffers. What can't be written is discarded: Python would try again at the end, fail,
    and change the exit status to 120.

    Returns:
        Why something could not be written; None if everything was.
    """
    lost = None
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError as error:
            discard(stream)
            lost = error
    return lost


def is_reader_gone() -> bool:
    """Whether standard output or error is a pipe that nobody reads any more."""
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def discard(stream: TextIO) -> None:
    """Discard what is printed to `stream` from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
