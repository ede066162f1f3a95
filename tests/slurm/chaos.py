"""Kill jobs and drivers at random until so many have died; what they computed must be the same.

By hand: python tests/slurm/chaos.py --kills 100 --table chaos.csv
A short run of it is among the tests.
"""

import argparse
import csv
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil

sys.path.append(str(Path(__file__).parents[1] / "workflow"))

from cluster import Cluster, running_cluster
from project import new_project
from submitted import Driver, SubmittedProject, empty_of_temporaries

TARGET = "tables"
CONFIG = {
    "methods": ["fista_oracle", "sae_relu", "pca", "raw"],
    "experiments": ["samples"],
    "sweeps": {
        "samples": {"over": ["n_samples"], "n_latents": [20], "k": [3], "n_samples": [40, 80]}
    },
    "settings": {"sae_relu": {"epochs": 5}},
}
MEAN_SECONDS_BETWEEN = 2.5
SHARE_OF_DRIVERS = 0.15
SECONDS_A_ROUND = 900
RETRIES = 3
"""Few, so that a driver ends, and is started anew, if the double of a job deleted its input."""
STEPS = ("simulate", "fit", "evaluate", "tabulate")


class Death(NamedTuple):
    """One line of the table."""

    round: int
    seconds: float
    """Since the round began."""
    victim: str
    how: str


class Round:
    """One run of the workflow to its end, through all that befalls it."""

    def __init__(self, number: int, project: SubmittedProject, chance: random.Random) -> None:
        self.number, self.project, self.chance = number, project, chance
        self.deaths: list[Death] = []
        self.began = time.monotonic()

    def run(self, most: int) -> None:
        """Kill up to so many, and let the workflow end.

        Raises
        ------
        TimeoutError
            If it does not end in time.
        """
        driver = self._drive()
        while True:
            time.sleep(self.chance.expovariate(1 / MEAN_SECONDS_BETWEEN))
            if time.monotonic() - self.began > SECONDS_A_ROUND:
                raise TimeoutError(f"round {self.number} does not end:\n{driver.said[-3000:]}")
            if driver.process.poll() is not None:
                if driver.process.returncode == 0:
                    return
                driver = self._drive()
            elif len(self.deaths) < most:
                if self.chance.random() < SHARE_OF_DRIVERS:
                    driver.signal(signal.SIGKILL)
                    self._note("driver", "SIGKILL")
                    self.project.run("--unlock")
                    driver = self._drive()
                else:
                    self._kill_a_job()

    def _drive(self) -> Driver:
        return self.project.drive(TARGET, f"--retries={RETRIES}")

    def _kill_a_job(self) -> None:
        if self.chance.random() < 0.5:
            steps = self._steps()
            if steps:
                victim = self.chance.choice(steps)
                step = victim.info["cmdline"][3]
                victim.kill()
                self._note(step, "SIGKILL")
        else:
            jobs = self.project.running()
            if jobs:
                job = self.chance.choice(jobs)
                self.project.cluster.ask("scancel", job)
                self._note(f"Slurm job {job}", "scancel")

    def _steps(self) -> list[psutil.Process]:
        """Return the processes of the project's steps that run."""
        found = []
        for each in psutil.process_iter(["cmdline", "cwd", "status"]):
            words = each.info["cmdline"] or []
            ours = each.info["cwd"] == str(self.project.folder)
            if ours and words[1:3] == ["-m", "sae_surgery"] and words[3] in STEPS:
                found.append(each)
        return found

    def _note(self, victim: str, how: str) -> None:
        seconds = round(time.monotonic() - self.began, 1)
        self.deaths.append(Death(self.number, seconds, victim, how))

    def left_behind(self) -> list[str]:
        """Return what should not be there after the end: processes, jobs, half-written files."""
        while self.project.running():
            # Doubles of jobs whose driver was killed may finish what they began.
            time.sleep(1)
        left = [f"process {each.pid}" for each in self._steps()]
        if not empty_of_temporaries(self.project.results):
            left.append("half-written files")
        return left


def torment(cluster: Cluster, folder: Path, kills: int, seed: int) -> list[Death]:
    """Run the workflow again and again until so many have been killed, and return the deaths.

    Raises
    ------
    AssertionError
        If a round ends with other results, leaves something behind, or leaves something to do.
    """
    reference = new_project(folder / "reference")
    reference.configure(**CONFIG)
    reference.succeed(TARGET)
    chance = random.Random(seed)
    deaths: list[Death] = []
    number = 0
    while len(deaths) < kills:
        project = _fresh(folder / f"round{number}", cluster)
        one = Round(number, project, chance)
        one.run(kills - len(deaths))
        assert one.left_behind() == []
        assert project.differences(reference) == set()
        assert "Nothing to be done" in project.succeed(TARGET)
        print(f"round {number}: {len(one.deaths)} killed, recovered", flush=True)
        deaths += one.deaths
        number += 1
        shutil.rmtree(project.folder)
    return deaths


def _fresh(folder: Path, cluster: Cluster) -> SubmittedProject:
    new_project(folder)
    project = SubmittedProject(folder, cluster)
    project.configure(**CONFIG)
    return project


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", type=Path, help="CSV file of all deaths to write")
    options = parser.parse_args()
    with running_cluster() as cluster, tempfile.TemporaryDirectory(prefix="chaos") as folder:
        deaths = torment(cluster, Path(folder), options.kills, options.seed)
    if options.table:
        with options.table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(Death._fields)
            writer.writerows(deaths)
    for (victim, how), count in Counter(
        (death.victim.partition(" job")[0], death.how) for death in deaths
    ).most_common():
        print(f"{count:4} × {how} of {victim}")
    print(f"{len(deaths)} killed, all recovered, results byte-identical, nothing left behind")


if __name__ == "__main__":
    main()
