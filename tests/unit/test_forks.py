"""A step in a fork of the server is as it would be in a process of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sae_surgery.forks import processes
from sae_surgery.forks.client import VARIABLE
from sae_surgery.forks.start import FEWEST_STEPS, start

PACKAGE = Path(__file__).parents[2] / "workflow" / "sae_surgery"
ORDERS = '''
"""Does what the working folder says."""

from pathlib import Path


def methods() -> None:
    exec(Path("orders.py").read_text(encoding="utf-8"), {})
'''
"""In the place of the step `methods`, so that tests can say what a step does."""
NAMES = ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")
SLEEP = """
import os, time
with open("name.new", "w") as file:
    file.write(str(os.getpid()))
os.replace("name.new", "name")
time.sleep(600)
"""
WHOSE = "import os; print(os.getppid())"
SECONDS = 120


@dataclass
class Steps:
    """Commands of a copy of the package, with a server or without."""

    package: Path
    folder: Path
    server: subprocess.Popen | None
    address: str

    def environment(self, forked: bool, threads: int = 1, **more: str) -> dict[str, str]:
        counts = {f"{name}_NUM_THREADS": str(threads) for name in NAMES}
        server = {VARIABLE: self.address} if forked else {}
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        return own | counts | {"VECLIB_MAXIMUM_THREADS": str(threads)} | server | more

    def begin(self, *arguments: str, environment: dict[str, str], **options) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "sae_surgery", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            **options,
        )

    def run(self, *arguments: str, forked: bool = True, **more) -> tuple[int, str, str]:
        """Return the exit status and what was printed, to standard output and error."""
        begun = self.begin(*arguments, environment=self.environment(forked, **more))
        printed = begun.communicate("said", timeout=SECONDS)
        return begun.returncode, *printed

    def order(self, text: str, forked: bool = True, **more) -> tuple[int, str, str]:
        """Let a step execute a text."""
        (self.folder / "orders.py").write_text(text, encoding="utf-8")
        return self.run("methods", forked=forked, **more)

    def sleeper(self) -> tuple[subprocess.Popen, psutil.Process]:
        """Return the client of a step that sleeps, and the step's own process."""
        (self.folder / "orders.py").write_text(SLEEP, encoding="utf-8")
        (self.folder / "name").unlink(missing_ok=True)
        client = self.begin("methods", environment=self.environment(forked=True))
        wait_for((self.folder / "name").exists)
        return client, psutil.Process(int((self.folder / "name").read_text(encoding="utf-8")))


def wait_for(condition) -> None:
    limit = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process runs no more, even if nobody has taken note of it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE or not process.is_running()
    except psutil.NoSuchProcess:
        return True


def begin_server(package: Path) -> tuple[subprocess.Popen, str]:
    """Start a server of a copy of the package, in an environment like that of a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(package.parent))
        # They change from test to test.
        for name in [name for name in os.environ if name.startswith("PYTEST") or name == VARIABLE]:
            patch.delenv(name)
        server = start(FEWEST_STEPS)
        return server, os.environ.pop(VARIABLE)


@pytest.fixture(autouse=True, scope="module")
def hangups() -> Iterator[None]:
    """Let them end what is started here, as they do unless tests run under `nohup`."""
    kept = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, kept)


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("copy") / "workflow" / PACKAGE.name
    shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "steps" / "methods.py").write_text(ORDERS, encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def served(package) -> Iterator[tuple[subprocess.Popen, str]]:
    server, address = begin_server(package)
    yield server, address
    server.stdin.close()
    server.wait(SECONDS)


@pytest.fixture
def steps(package, served, tmp_path, monkeypatch) -> Steps:
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return Steps(package, tmp_path, *served)


def test_a_step_is_a_fork_of_the_server(steps):
    assert steps.order(WHOSE) == (0, f"{steps.server.pid}\n", "")


def test_files_have_the_same_bytes(steps):
    for forked in (False, True):
        of = str(forked)
        data = ("--data", f"{of}/data.nc")
        drawn = "simulate", "--cell", "n20_k3_m12_s200", "--seeds", "0", "1"
        fit = "fit", "--method", "pca", "--device", "cpu", "--threads", "1"
        files = "--model", f"{of}/model.nc", "--codes", f"{of}/codes.nc"
        for command in ((*drawn, "--output", f"{of}/data.nc"), (*fit, *data, *files)):
            status, _, log = steps.run(*command, forked=forked)
            assert status == 0 and "process of its own" not in log, log
    own, forked = (
        {path.name: path.read_bytes() for path in (steps.folder / str(each)).iterdir()}
        for each in (False, True)
    )
    assert own == forked and len(own) == 3


@pytest.mark.parametrize(
    "command",
    [
        ("simulate", "--cell", "nonsense", "--output", "data.nc"),
        ("fit", "--method", "pca", "--data", "nowhere.nc", "--model", "m.nc", "--codes", "c.nc"),
        ("nonsense",),
        ("--version",),
    ],
)
def test_messages_and_exit_status_are_the_same(steps, command):
    assert steps.run(*command) == steps.run(*command, forked=False)


@pytest.mark.parametrize(
    "orders",
    [
        "raise SystemExit",
        "raise SystemExit(3)",
        "raise SystemExit('why')",
        "raise KeyboardInterrupt",
        "raise OSError(28, 'full')",
        "import os; os.abort()",
        "import os; os.kill(os.getpid(), 9)",
    ],
)
def test_ends_of_all_kinds_are_the_same(steps, orders):
    own, forked = steps.order(orders, forked=False), steps.order(orders)
    assert own[:2] == forked[:2]
    assert own[2].splitlines()[-1:] == forked[2].splitlines()[-1:]


def test_what_is_left_open_is_closed_at_the_end(steps):
    orders = "import atexit; atexit.register(print, 'end'); print('begin', end=' ')"
    assert steps.order(orders) == (0, "begin end\n", "")


def test_surroundings_are_the_clients(steps):
    orders = f"""
import os, sys, tempfile
kept = {{name: value for name, value in os.environ.items() if name != {VARIABLE!r}}}
print(os.getcwd(), tempfile.gettempdir(), sorted(kept.items()), sys.stdin.read(), os.umask(0))
print(sys.path, file=sys.stderr)
"""
    (steps.folder / "temporary").mkdir()
    before = os.umask(0o027)
    try:
        folder = str(steps.folder / "temporary")
        own, forked = (steps.order(orders, forked=each, TMPDIR=folder) for each in (False, True))
    finally:
        os.umask(before)
    assert own == forked and own[0] == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_libraries_have_the_threads_that_the_environment_says(steps, threads):
    orders = """
import numba, scipy.linalg, sklearn.linear_model, threadpoolctl, torch
print(torch.get_num_threads(), torch.get_num_interop_threads(), numba.get_num_threads())
for each in sorted(map(str, threadpoolctl.threadpool_info())):
    print(each)
"""
    own = steps.order(orders, forked=False, threads=threads)
    assert own == steps.order(orders, threads=threads)
    assert own[1].startswith(f"{threads} ") and f"'num_threads': {threads}" in own[1]


def test_a_step_with_another_environment_has_its_own_process(steps):
    status, parent, said = steps.order(WHOSE, NUMBA_DISABLE_JIT="1")
    assert status == 0 and int(parent) != steps.server.pid
    assert said == (
        "this step runs in a process of its own: its environment differs in NUMBA_DISABLE_JIT\n"
    )


def test_edited_source_is_what_runs(steps):
    path = steps.package / "metrics" / "measures" / "ranks.py"
    text, dates = path.read_bytes(), path.stat()
    path.write_bytes(text.replace(b"a", b"b", 1))
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    try:
        status, parent, said = steps.order(WHOSE)
    finally:
        path.write_bytes(text)
    assert status == 0 and int(parent) != steps.server.pid
    assert re.fullmatch("this step runs in a process of its own: the package .* changed .*\n", said)
    assert steps.order(WHOSE)[1] == f"{steps.server.pid}\n"


def test_what_an_editor_leaves_beside_is_no_edit(steps):
    link = steps.package / "metrics" / ".#base.py"
    link.symlink_to("nobody@nowhere")
    try:
        assert steps.order(WHOSE) == (0, f"{steps.server.pid}\n", "")
    finally:
        link.unlink()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_who_kills_the_client_kills_the_step(steps, number):
    client, step = steps.sleeper()
    client.send_signal(number)
    client.communicate(timeout=SECONDS)
    assert client.returncode == -number
    wait_for(lambda: has_ended(step))


def test_a_stopped_client_is_a_stopped_step(steps):
    client, step = steps.sleeper()
    client.send_signal(signal.SIGTSTP)
    wait_for(lambda: step.status() == psutil.STATUS_STOPPED)
    client.send_signal(signal.SIGCONT)
    wait_for(lambda: step.status() != psutil.STATUS_STOPPED)
    client.kill()
    client.communicate()


def test_memory_of_the_fork_is_found_below_the_client(steps):
    client, step = steps.sleeper()
    folder = Path(steps.address).parent
    measured = processes.WithForks(os.getpid(), folder).children(recursive=True)
    assert step in measured and psutil.Process(client.pid) in measured
    client.kill()
    client.communicate()
    wait_for(lambda: not (folder / str(client.pid)).is_symlink())


def test_without_its_server_a_step_begins_anew_by_itself(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    server, address = begin_server(package)
    steps = Steps(package, tmp_path, server, address)
    client, step = steps.sleeper()
    (tmp_path / "orders.py").write_text("print('anew')", encoding="utf-8")
    server.kill()
    assert client.communicate(timeout=SECONDS) == (
        "anew\n",
        "this step runs in a process of its own: the run's server has ended\n",
    )
    assert client.returncode == 0 and has_ended(step)
    status, printed, said = steps.order("print('alone')")
    assert (status, printed) == (0, "alone\n")
    assert said == "this step runs in a process of its own: Connection refused\n"
    shutil.rmtree(Path(address).parent)


def test_the_server_ends_with_the_run_and_steps_in_their_own_time(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    server, address = begin_server(package)
    client, step = Steps(package, tmp_path, server, address).sleeper()
    server.stdin.close()
    wait_for(lambda: not is_listened_to(address))
    assert step.is_running() and server.poll() is None
    client.terminate()
    client.communicate(timeout=SECONDS)
    assert server.wait(SECONDS) == 0
    assert not Path(address).parent.exists()


def is_listened_to(address: str) -> bool:
    lines = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
    return any(line.endswith(f" {address}") for line in lines if line.split()[3] == "00010000")


@pytest.mark.parametrize(("n_steps", "named"), [(FEWEST_STEPS - 1, None), (FEWEST_STEPS, "")])
def test_none_is_started_for_few_steps_or_where_the_variable_is_set(n_steps, named, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    if named is not None:
        monkeypatch.setenv(VARIABLE, named)
    assert start(n_steps) is None
    assert os.environ.get(VARIABLE) == named


def test_a_long_name_of_the_folder_for_temporary_files_is_no_matter(package, tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    server, address = begin_server(package)
    assert len(address) < 100
    server.stdin.close()
    server.wait(SECONDS)
    assert not Path(address).parent.exists()
