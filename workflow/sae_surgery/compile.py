"""`python -m sae_surgery.compile`: compile all loops once, so that no job has to wait for it.

What is compiled is kept beside the source. So every method is fitted, every surgery done
and everything scored on a tiny cell; the results are thrown away.
"""

import tempfile
from pathlib import Path

from sae_surgery import methods, surgeries
from sae_surgery.parts import applicable
from sae_surgery.problems.paper import Cell
from sae_surgery.steps.evaluate import evaluate
from sae_surgery.steps.fit import fit
from sae_surgery.steps.operate import operate
from sae_surgery.steps.simulate import simulate

CELL = Cell(n_latents=60, k=3, obs_dim=18, n_samples=200)
BUDGETS = {
    "epochs": 1,
    "max_rounds": 12,
    "max_steps": 20,
    "counts": (1, 12),
    "penalty_factors": (1.0,),
    "k_factors": (1.0,),
}
"""Of the methods and surgeries that have such a setting."""
PATIENT = "sae_relu"


def compile_loops(folder: Path) -> None:
    """Run the steps whose loops are compiled, with files in a folder."""
    data = folder / "data.nc"
    simulate(CELL, (0,), data)
    for name in sorted(methods.usual(), key=lambda name: methods.trait(name, "parent") or ""):
        parent = _model(folder, methods.trait(name, "parent"))
        settings = applicable(methods.load(name).Settings, BUDGETS)
        fit(name, data, parent, settings, "cpu", 1, *_files(folder, name))
    for name in surgeries.available():
        settings = applicable(surgeries.load(name).Settings, BUDGETS)
        donor = _model(folder, surgeries.trait(name, "donor"))
        output = folder / "operation.nc"
        operate(name, data, *_files(folder, PATIENT), settings, "cpu", 1, output, donor)
    models, codes = zip(*(_files(folder, name) for name in methods.usual()), strict=True)
    evaluate(data, codes, models, "paper", folder / "metrics.nc")


def _model(folder: Path, method: str | None) -> Path | None:
    return folder / f"{method}.nc" if method else None


def _files(folder: Path, method: str) -> tuple[Path, Path]:
    return folder / f"{method}.nc", folder / f"{method}_codes.nc"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        compile_loops(Path(folder))
