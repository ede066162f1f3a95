"""The command of a step, which lets a fork of the run's server do it, and ends as that ends."""

import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

VARIABLE = "SAE_SURGERY_SERVER"
"""The server's socket; where it is missing or empty, every step runs in its own process."""

FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGCONT,
)
REFUSED, ENDED = "refused", "ended"
"""First words of what the server answers."""
LARGEST_ANSWER = 4096


def run_forked(arguments: Sequence[str]) -> None:
    """Let the server run a step, and end with its exit status, or by the signal that ended it.

    Returns only if the step is to run in this process: because no server is named, or, with a line
    on standard error, because the server is gone or refuses.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(address)
            _ask(connection, arguments)
            kept = _forward_signals(connection)
            # At its end of file, both the server and its fork are gone.
            answer = connection.recv(LARGEST_ANSWER).decode()
            for number, handler in kept.items():
                signal.signal(number, handler)
    except OSError as error:
        answer = f"{REFUSED} {error.strerror}"
    word, _, rest = answer.partition(" ")
    if word == ENDED:
        _end(os.waitstatus_to_exitcode(int(rest)))
    reason = rest if word == REFUSED else "the run's server has ended"
    print(f"this step runs in a process of its own: {reason}", file=sys.stderr)


def _ask(connection: socket.socket, arguments: Sequence[str]) -> None:
    """Send the standard files, and all that a process has from the one that starts it."""
    umask = os.umask(0)
    os.umask(umask)
    request = {
        "arguments": list(arguments),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "umask": umask,
    }
    # It may be longer than a message.
    with open(os.memfd_create("request"), "wb+") as file:
        file.write(json.dumps(request).encode())
        file.flush()
        socket.send_fds(connection, [b"!"], [0, 1, 2, file.fileno()])


def _forward_signals(connection: socket.socket) -> dict[int, object]:
    """Send the fork what is sent to this process, and return how signals were handled."""

    def forward(number: int, _: object) -> None:
        stops = number == signal.SIGTSTP
        with suppress(OSError):
            connection.send(bytes([signal.SIGSTOP if stops else number]))
        if stops:
            os.kill(os.getpid(), signal.SIGSTOP)

    heeded = [each for each in FORWARDED if signal.getsignal(each) != signal.SIG_IGN]
    return {number: signal.signal(number, forward) for number in heeded}


def _end(code: int) -> None:
    """End with an exit code or, if it is negative, by a signal."""
    if code < 0:
        # Some cannot be handled anyway.
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
