"""Steps of a run are forks of one process, and nothing but time tells."""

from project import Project
from sae_surgery.forks.client import VARIABLE
from sae_surgery.machine.atomic import walk

LOADED = "the step fit is loaded"


def logs(project: Project) -> str:
    return "".join(
        path.read_text(encoding="utf-8") for path in walk(project.results / "logs" / "fit")
    )


def test_libraries_are_loaded_once_in_a_run(fresh):
    fresh.append("steps/fit.py", f"print({LOADED!r}, file=sys.stderr)")
    assert fresh.succeed("models").count(LOADED) == 1
    assert logs(fresh).count("job: ") == 5 and LOADED not in logs(fresh)


def test_steps_in_processes_of_their_own_give_the_same_bytes(fresh, reference):
    fresh.environment[VARIABLE] = ""
    fresh.succeed()
    assert fresh.differences(reference) == set()
    assert "process of its own" not in logs(fresh) + logs(reference)
