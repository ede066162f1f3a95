"""Progress of long loops: a bar on a terminal, a plain line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Tracker = Callable[[Iterable[Item], str], Iterable[Item]]

SECONDS_BETWEEN_LINES = 10.0


def silent(items: Iterable[Item], label: str) -> Iterable[Item]:
    """Pass `items` through and report nothing; what libraries and tests use."""
    return items


def track(items: Iterable[Item], label: str) -> Iterable[Item]:
    """Pass `items` through and report on standard error how far the loop is."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        return tqdm(items, desc=label, dynamic_ncols=True)
    return _log(items, label)


def _log(items: Iterable[Item], label: str) -> Iterator[Item]:
    total = len(items) if hasattr(items, "__len__") else None
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            spent = now - start
            of_total = f" of {total}" if total else ""
            left = f", about {spent * (total / done - 1):.0f} s left" if total and done else ""
            print(f"{label}: {done}{of_total} after {spent:.0f} s{left}", file=sys.stderr)
        yield item
    print(f"{label}: done in {time.monotonic() - start:.1f} s", file=sys.stderr)
