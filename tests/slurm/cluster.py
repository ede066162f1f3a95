"""A real Slurm on this machine: munge, a controller and four nodes, two of which offer a GPU.

The nodes only declare their processors and memory, and their GPUs are device files that nothing
computes on, so the cluster runs on any machine; what it schedules, counts and kills is real. All of
it lives in one folder, nothing is written to /etc, and the daemons are children of this process.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

import debian

PACKAGES = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
}
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr")
CPU_NODES = ("c1", "c2")
GPU_NODES = ("g1", "g2")
SECONDS = 300
"""How long anything may take that should take seconds; machines may be busy."""

# The system's places of daemons, which are not on every user's path.
os.environ["PATH"] += os.pathsep + "/usr/sbin"

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
MinJobAge=7200
KillWait=5
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE
PartitionName=cpu Nodes=c[1-2] MaxTime=INFINITE
PartitionName=gpu Nodes=g[1-2] MaxTime=INFINITE
"""


def why_not() -> str | None:
    """Return why no cluster can be had on this machine, None if one can."""
    return "Slurm's daemons need root" if os.geteuid() != 0 else debian.why_not(PACKAGES)


class Cluster:
    """The daemons, by name: `munged`, `slurmctld` and the nodes."""

    def __init__(self, folder: Path, node_mb: int) -> None:
        self.folder = folder
        self.node_mb = node_mb
        self.daemons: dict[str, subprocess.Popen] = {}
        self.environment = {
            "PATH": os.pathsep.join([str(folder / "bin"), os.environ["PATH"]]),
            "SLURM_CONF": str(folder / "slurm.conf"),
        }
        self._write_configuration()

    def start(self) -> None:
        """Start what does not run, and wait until all nodes are ready."""
        self._daemon(
            "munged",
            "munged",
            "--foreground",
            "--force",
            f"--key-file={self.folder}/munge.key",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munged.seed",
        )
        wait_until(lambda: (self.folder / "munge.socket").exists(), "munged listens")
        self.start_controller()
        for node in CPU_NODES + GPU_NODES:
            self.start_node(node)
        wait_until(self._ready, "all nodes are ready")

    def start_controller(self) -> None:
        """Start the controller, which takes up its queue where it was left."""
        self._daemon("slurmctld", "slurmctld", "-D")
        wait_until(lambda: "UP" in self.ask("scontrol", "ping"), "the controller answers")

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self._daemon(node, "slurmd", "-D", "-N", node)

    def kill_controller(self) -> None:
        """End the controller with SIGKILL."""
        self._kill("slurmctld")

    def lose_node(self, node: str) -> None:
        """End a node with all that runs on it, as if its power had failed."""
        self._kill(node)

    def stop(self) -> None:
        """Cancel all jobs, and end all daemons and whatever else was started with this cluster."""
        if self._runs("slurmctld"):
            self.ask("scancel", "--state=PENDING", "--user=root")
            self.ask("scancel", "--state=RUNNING", "--user=root")
            with contextlib.suppress(TimeoutError):
                wait_until(lambda: not self.ask("squeue", "--noheader"), "all jobs end", 15)
        for name in [*CPU_NODES, *GPU_NODES, "slurmctld", "munged"]:
            self._kill(name)
        self._kill_what_is_left()

    def ask(self, *command: str) -> str:
        """Return the output of one of Slurm's commands, empty if it fails."""
        done = subprocess.run(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            encoding="utf-8",
        )
        return done.stdout.strip()

    def jobs(self) -> dict[str, dict[str, str]]:
        """Return what Slurm knows of all jobs, ended ones included, by job id."""
        jobs = {}
        for line in self.ask("scontrol", "show", "job", "--oneliner", "--details").splitlines():
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if "JobId" in fields:
                jobs[fields["JobId"]] = fields
        return jobs

    def running(self) -> list[str]:
        """Return the ids of jobs that run."""
        return self.ask("squeue", "--noheader", "--states=RUNNING", "--format=%A").split()

    def _daemon(self, name: str, *command: str) -> None:
        if self._runs(name):
            return
        with (self.folder / f"{name}.console").open("a", encoding="utf-8") as console:
            self.daemons[name] = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def _runs(self, name: str) -> bool:
        return name in self.daemons and self.daemons[name].poll() is None

    def _kill(self, name: str) -> None:
        """End a daemon and everything below it; job steps are a node daemon's children."""
        if self._runs(name):
            daemon = psutil.Process(self.daemons[name].pid)
            for each in [daemon, *daemon.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            self.daemons[name].wait(SECONDS)

    def _kill_what_is_left(self) -> None:
        """End drivers of tests that failed, and steps of nodes that were lost."""
        clients = str(self.folder / "bin")
        for each in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if clients in each.environ().get("PATH", "").split(os.pathsep):
                    each.kill()

    def _ready(self) -> bool:
        states = self.ask("sinfo", "--noheader", "--Node", "--format=%T").split()
        return bool(states) and set(states) <= {"idle", "mixed", "allocated"}

    def _write_configuration(self) -> None:
        nodes = CPU_NODES + GPU_NODES
        host = socket.gethostname()
        ports = free_ports(1 + len(nodes))
        # Jobs without GPU take the nodes without GPU first: they weigh less.
        lines = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=16 "
            "Boards=1 SocketsPerBoard=1 CoresPerSocket=16 ThreadsPerCore=1 "
            f"RealMemory={self.node_mb} "
            + ("Gres=gpu:1 Weight=2" if node in GPU_NODES else "Weight=1")
            for node, port in zip(nodes, ports[1:], strict=True)
        ]
        text = CONFIGURATION.format(
            host=host, ports=ports, folder=self.folder, nodes="\n".join(lines)
        )
        (self.folder / "slurm.conf").write_text(text, encoding="utf-8")
        # Slurm ignores a GPU without a device file; any device will do.
        (self.folder / "gres.conf").write_text(
            "NodeName=g[1-2] Name=gpu File=/dev/null\n", encoding="utf-8"
        )
        (self.folder / "cgroup.conf").write_text(_cgroups(), encoding="utf-8")
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        (self.folder / "controller").mkdir()
        for node in nodes:
            (self.folder / node).mkdir()
        self._write_clients()

    def _write_clients(self) -> None:
        """Write commands that know their cluster: jobs lose the variable that names it."""
        folder = self.folder / "bin"
        folder.mkdir()
        for name in CLIENTS:
            client = folder / name
            conf = self.environment["SLURM_CONF"]
            client.write_text(
                f'#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which(name)} "$@"\n', encoding="utf-8"
            )
            client.chmod(0o755)


@contextlib.contextmanager
def running_cluster(node_mb: int = 64_000) -> Iterator[Cluster]:
    """Give a cluster that runs, of nodes with so much memory, and end it."""
    debian.install(PACKAGES)
    # Sockets have short names, and the temporary folders of tests long ones.
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        cluster = Cluster(Path(folder), node_mb)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Wait until a condition holds.

    Raises
    ------
    TimeoutError
        If it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Return that many TCP ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _cgroups() -> str:
    """Return what keeps newer versions from asking for cgroups; older ones do not know it."""
    shown = subprocess.run(["slurmctld", "-V"], capture_output=True, check=True).stdout.decode()
    major, minor = (int(part) for part in shown.split()[-1].split(".")[:2])
    return "CgroupPlugin=disabled\n" if (major, minor) >= (23, 11) else ""
