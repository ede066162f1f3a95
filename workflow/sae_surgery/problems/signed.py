"""The paper's problem with latents of either sign: values are uniform on (−1, 1).

The oracle, the chance level, dictionary learning and surgeries solve the lasso over all z here. The
label stays z₀ > ½, which holds for a quarter of the samples with latent 0 rather than for half.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sae_surgery.problems.paper import Cell

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator, RandomState
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Signed(Cell):
    """A cell whose latents take either sign: dictionary and supports are those of the paper's."""

    signed: ClassVar[bool] = True

    def draw_codes(
        self, n_id: int, n_ood: int, stream: "RandomState | Generator"
    ) -> tuple["NDArray[np.int32]", "NDArray[np.float64]"]:
        """Draw support and magnitude (sample, active); values u of the paper's become 2 u − 1."""
        support, magnitude = super().draw_codes(n_id, n_ood, stream)
        return support, 2 * magnitude - 1
