"""Chromium without a window, driven over its debugging protocol through two pipes.

Pages are opened as files, at a width and in a colour scheme; keys are pressed as a user would.
The protocol is https://chromedevtools.github.io/devtools-protocol/, messages end with a zero byte.
"""

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import debian

PACKAGES = {"chromium": "chromium"}
SECONDS = 60
"""After which a browser that does not answer is given up."""


class Browser:
    """One page of a running browser."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._session: str | None = None
        self._number, self._unread, self._events = 0, b"", []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def visit(
        self,
        page: Path,
        width: int,
        height: int = 900,
        at: str = "",
        dark: bool = False,
        scripts: bool = True,
    ) -> None:
        """Open a file, with `at` after its address, and wait until all of it is loaded."""
        self._call("Emulation.setScriptExecutionDisabled", value=not scripts)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        # Another fragment of the same address would load nothing.
        self._call("Page.navigate", url="about:blank")
        self._events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri() + at)
        loaded = "location.protocol === 'file:' && document.readyState === 'complete'"
        self._until(lambda: self.run(loaded))

    def run(self, script: str) -> Any:
        """Return the value of a script's last expression."""
        given = {"expression": script, "returnByValue": True, "awaitPromise": True}
        done = self._call("Runtime.evaluate", **given)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """Press a key and release it."""
        codes = {"Tab": 9, "Enter": 13, "ArrowDown": 40, "ArrowRight": 39, "Escape": 27, " ": 32}
        named = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        down = "keyDown" if text else "rawKeyDown"
        self._call("Input.dispatchKeyEvent", type=down, text=text, **named)
        self._call("Input.dispatchKeyEvent", type="keyUp", **named)

    def errors(self) -> list[Any]:
        """Return what the page has logged, and what its script has thrown, since it was opened."""
        self.run("1")
        told = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [event["params"] for event in self._events if event["method"] in told]

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write a picture of what is in view, or of the whole page, as PNG."""
        taken = self._call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))

    def _until(self, holds) -> None:
        end = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < end, "the page was not loaded in time"
            time.sleep(0.01)

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            if "method" in answer:
                self._events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._back], [], [], SECONDS)
            assert ready, "the browser does not answer"
            read = os.read(self._back, 2**20)
            assert read, "the browser has ended"
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start Chromium with a profile of its own, and end it.

    Where it cannot be had, tests are left out, but never in CI.
    """
    if reason := debian.why_not(PACKAGES):
        debian.leave_out("in Chromium", reason)
    debian.install(PACKAGES)
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()

    def connect() -> None:
        # Chromium reads from 3 and writes to 4. Copies first: a pipe may already be 3 or 4.
        given, taken = os.dup(theirs_in), os.dup(theirs_out)
        os.dup2(given, 3)
        os.dup2(taken, 4)

    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, preexec_fn=connect, close_fds=False, **quiet)
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(ours_out, ours_in)
    finally:
        process.terminate()
        process.wait(SECONDS)
        os.close(ours_out)
        os.close(ours_in)
