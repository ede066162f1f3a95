"""A bench on which the contract tests fit methods, each once per set of seeds."""

from pathlib import Path

from sae_surgery import methods
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.parts import applicable
from sae_surgery.problems.paper import Cell
from sae_surgery.steps.fit import fit
from sae_surgery.steps.simulate import simulate

CELL = Cell(n_latents=20, k=3, obs_dim=12, n_samples=150)
SEEDS = (0, 1, 2)
BRIEF = {"epochs": 2, "max_rounds": 3, "max_steps": 20, "n_iter": 10}
"""Budgets that keep the contract quick, for the methods that have such a setting."""

SAVED = Path(__file__).parents[1] / "fixtures" / "saved.npz"
"""A trained SAE that fits `CELL`."""


def brief_settings(name):
    own = {"saved": {"path": str(SAVED)}}
    return applicable(methods.load(name).Settings, BRIEF) | own.get(name, {})


class Bench:
    """Fits methods once per set of seeds, and keeps the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def data(self, seeds=SEEDS, cell=CELL) -> Path:
        path = self.folder / f"{cell.name}_{'_'.join(map(str, seeds))}.nc"
        if not path.exists():
            simulate(cell, seeds, path)
        return path

    def fit(self, name, seeds=SEEDS, cell=CELL, again="") -> tuple[Path, Path]:
        data = self.data(seeds, cell)
        model = self.folder / f"{data.stem}_{name}{again}_model.nc"
        codes = self.folder / f"{data.stem}_{name}{again}_codes.nc"
        if not model.exists():
            parent_name = methods.trait(name, "parent")
            parent = self.fit(parent_name, seeds, cell)[0] if parent_name else None
            fit(name, data, parent, brief_settings(name), "cpu", 1, model, codes)
        return model, codes

    def codes(self, name, seeds=SEEDS) -> Codes:
        return Codes(self.fit(name, seeds)[1], CellData(self.data(seeds)))
