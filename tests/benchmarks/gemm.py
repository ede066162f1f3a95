"""The floor of all dense work: large square matrix products in single precision."""

import torch

from benchmarks.harness import Contestant

SIDE = 2048
FLOPS = 2 * SIDE**3


def gemm_floor(flops: float, what: str, target: float = float("nan")) -> Contestant:
    """Return a contestant that takes as long as so many operations at the machine's rate.

    Its ratio to ours is our share of that rate.
    """
    left, right, out = torch.rand(3, SIDE, SIDE)

    def multiply() -> None:
        torch.mm(left, right, out=out)

    return Contestant(
        "GEMM floor",
        multiply,
        scale=flops / FLOPS,
        target=target,
        note=f"{what} at the rate of a {SIDE} × {SIDE} product",
    )
