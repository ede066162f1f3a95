"""The paper's problem y = A z: combinations of latents that training never shows.

A *cell* fixes its sizes. The observations are noise-free mixtures of the columns of A. One latent,
number 0, is paired with the first half of the others in distribution, and with the second half out
of distribution. How a cell is drawn is in `sampling`.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sae_surgery.problems.base import Drawn
from sae_surgery.problems.laws.fresh import FRESH_STREAM
from sae_surgery.problems.laws.sizes import PaperSizes

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator, RandomState
    from numpy.typing import NDArray

CELL_PATTERN = r"n[1-9][0-9]*_k[1-9][0-9]*_m[1-9][0-9]*_s[1-9][0-9]*(?:_r[1-9][0-9]*)?"
"""What a cell's name looks like (a regular expression that captures nothing, for wildcards)."""


@dataclass(frozen=True)
class Cell(PaperSizes):
    """One cell of the paper's problem; k latents are active in every sample.

    Raises
    ------
    ValueError
        If a size is not a positive integer, or absurdly large, or no problem of these sizes can be
        drawn.
    """

    knows: ClassVar[tuple[str, ...]] = ("dictionary", "codes", "labels")
    keeps_observations: ClassVar[bool] = False

    @classmethod
    def parse(cls, name: str) -> "Cell":
        """Read a cell back from its `name`.

        Raises
        ------
        ValueError
            If the name is not of that form, or the cell it names is infeasible.
        """
        if not re.fullmatch(CELL_PATTERN, name):
            raise ValueError(
                "a cell's name must look like n1000_k10_m93_s5000 "
                f"(latents, active, observed dimensions, samples), got {name!r}"
            )
        return cls(*map(int, re.findall(r"[0-9]+", name)))

    def draw(self, seed: int) -> Drawn:
        """Draw dictionary and codes from one stream, bit-equal to the published data."""
        import numpy as np

        from sae_surgery.problems.laws.sampling import draw_dictionary

        stream = np.random.RandomState(seed)
        dictionary = draw_dictionary(self, stream)
        return Drawn(dictionary, *self.draw_codes(self.n_samples, self.n_ood, stream))

    def fresh(self, seed: int, drawn: Drawn) -> Drawn:
        """Draw val and ood samples that nothing was learned from, from a stream of another kind."""
        import numpy as np

        stream = np.random.default_rng([FRESH_STREAM, seed])
        return Drawn(drawn.dictionary, *self.draw_codes(*self.fresh_samples(), stream))

    def draw_codes(
        self, n_id: int, n_ood: int, stream: "RandomState | Generator"
    ) -> tuple["NDArray[np.int32]", "NDArray[np.float64]"]:
        """Draw support and magnitude (sample, active) of so many samples of each distribution."""
        from sae_surgery.problems.laws.sampling import draw_codes

        return draw_codes(self, n_id, n_ood, stream)
