"""FISTA on codes that are mostly zero, compiled: a sample at a time, on a few atoms at a time.

An atom d without a code gets one in the next iteration only if its correlation dᵀr with the
residual exceeds λ. After a look at all correlations, this cannot happen before the residual has
moved by (λ − dᵀr)/‖d‖. So iterations are taken on a *working set*, the atoms with codes and those
within a margin of λ, until the residual has moved by the margin. The iterates are those of plain
FISTA, up to rounding.
"""

import numpy as np

from sae_surgery.machine.jit import jit

compiled = jit(fastmath={"reassoc", "contract", "nsz"}, nogil=True)

VECTOR = 16
"""Numbers to which a working set is padded, with atoms of no codes and no correlations."""

MAX_WORKING_SET = 128
"""Atoms in the largest working set; if there are more, a step is taken on all atoms."""

FIRST_MARGIN, LEAST_MARGIN = 1 / 6, 1 / 64
"""How far a residual may move before all correlations are looked at again, in units of λ."""

SAFETY = 0.99
"""Share of the squared margin that is used; the rest is for rounding."""


@compiled
def advance(observations, dictionary, atoms, norms, gram, lam, step, signed, weights, codes, old):
    """Take proximal gradient steps with each sample, in place.

    Parameters
    ----------
    observations
        Y (sample, obs).
    dictionary, atoms, norms
        D (obs, atom), Dᵀ (atom, obs) and ‖d‖ (atom,).
    gram
        DᵀD (atom, atom), or an array of length 0 for products as they are needed.
    lam, step
        λ, and the length of a step.
    signed
        Whether codes may be negative.
    weights
        The weights w (step,) of the points z_old + w (z − z_old) from which steps are taken.
    codes, old
        z and z_old (sample, atom).

    Returns
    -------
    How many times all correlations of a sample were looked at.
    """
    n_looks = 0
    n_atoms, n_obs = atoms.shape
    kind = observations.dtype
    point, correlations = np.empty(n_atoms, kind), np.empty(n_atoms, kind)
    residual, chosen = np.empty(n_obs, kind), np.empty(n_atoms, np.int64)
    few_gram = np.empty((MAX_WORKING_SET, MAX_WORKING_SET), kind)
    few_codes, few_old = np.empty(MAX_WORKING_SET, kind), np.empty(MAX_WORKING_SET, kind)
    anchor, at_anchor = np.empty(MAX_WORKING_SET, kind), np.empty(MAX_WORKING_SET, kind)
    for sample in range(len(observations)):
        z, z_old = codes[sample], old[sample]
        taken, margin = 0, FIRST_MARGIN * lam
        while taken < len(weights):
            n_looks += 1
            extrapolate(z, z_old, weights[taken], point)
            subtract_atoms(observations[sample], atoms, point, residual)
            correlate(dictionary, residual, correlations)
            size, margin = choose(norms, correlations, lam, margin, signed, z, z_old, chosen)
            if size > MAX_WORKING_SET:
                z_old[:] = z
                proximal_step(point, correlations, lam, step, signed, z)
                taken, margin = taken + 1, FIRST_MARGIN * lam
                continue
            few, padded = chosen[:size], -(-size // VECTOR) * VECTOR
            gather_products(gram, atoms, few, few_gram[:padded, :padded])
            gather(z, few, few_codes[:padded])
            gather(z_old, few, few_old[:padded])
            gather(point, few, anchor[:padded])
            gather(correlations, few, at_anchor[:padded])
            taken += step_on_few(
                few_gram,
                anchor[:padded],
                at_anchor[:padded],
                lam,
                step,
                signed,
                margin,
                weights[taken:],
                few_codes[:padded],
                few_old[:padded],
            )
            scatter(few_codes, few, z)
            scatter(few_old, few, z_old)
            margin = min(2 * margin, lam)
    return n_looks


@compiled
def step_on_few(gram, anchor, at_anchor, lam, step, signed, margin, weights, z, z_old):
    """Take steps on a working set until the residual has moved by the margin.

    At a point p₀ + x, x the displacement from the anchor p₀, correlations are c = c₀ − G x, and the
    residual has moved by √(xᵀ(c₀ − c)). If an iterate is the one before it, so are all to come.

    Returns
    -------
    The number of steps taken, or that were asked for if all others would change nothing.
    """
    point, displacement = np.empty_like(z), np.empty_like(z)
    correlations, limit = np.empty_like(z), SAFETY * margin * margin
    for taken in range(len(weights)):
        extrapolate(z, z_old, weights[taken], point)
        for a in range(len(z)):
            displacement[a] = point[a] - anchor[a]
            correlations[a] = at_anchor[a]
        subtract_product(gram, displacement, correlations)
        moved = z.dtype.type(0)
        for a in range(len(z)):
            moved += displacement[a] * (at_anchor[a] - correlations[a])
        if taken > 0 and moved > limit:
            return taken
        if not shift(point, correlations, lam, step, signed, z, z_old):
            return len(weights)
    return len(weights)


@compiled
def choose(norms, correlations, lam, margin, signed, z, z_old, chosen):
    """Write down which atoms may have a code before the residual has moved by the margin.

    The margin is halved while they are more than a working set holds.

    Returns
    -------
    Their number, and the margin.
    """
    while True:
        size = 0
        for j in range(len(z)):
            correlation = abs(correlations[j]) if signed else correlations[j]
            if correlation > lam - margin * norms[j] or z[j] != 0 or z_old[j] != 0:
                chosen[size] = j
                size += 1
        if size <= MAX_WORKING_SET or margin < LEAST_MARGIN * lam:
            return size, margin
        margin /= 2


@compiled
def extrapolate(z, z_old, weight, point):
    """Write z_old + w (z − z_old) into the point."""
    for j in range(len(z)):
        point[j] = z_old[j] + weight * (z[j] - z_old[j])


@compiled
def subtract_atoms(observation, atoms, point, residual):
    """Write y − D p into the residual."""
    residual[:] = observation
    for j in range(len(point)):
        if point[j] != 0:
            for i in range(len(residual)):
                residual[i] -= point[j] * atoms[j, i]


@compiled
def correlate(dictionary, residual, correlations):
    """Write Dᵀ r into the correlations."""
    n_obs = len(residual)
    correlations[:] = 0
    for i in range(0, n_obs - 7, 8):
        add_eight_rows(dictionary[i : i + 8], residual[i : i + 8], correlations)
    for i in range(n_obs - n_obs % 8, n_obs):
        for j in range(len(correlations)):
            correlations[j] += residual[i] * dictionary[i, j]


@compiled
def add_eight_rows(rows, x, total):
    """Add Σ x_i times row i; eight at a time, the total is loaded and stored once for all."""
    x0, x1, x2, x3, x4, x5, x6, x7 = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    for j in range(len(total)):
        total[j] += (
            x0 * rows[0, j]
            + x1 * rows[1, j]
            + x2 * rows[2, j]
            + x3 * rows[3, j]
            + x4 * rows[4, j]
            + x5 * rows[5, j]
            + x6 * rows[6, j]
            + x7 * rows[7, j]
        )


@compiled
def proximal_step(point, correlations, lam, step, signed, z):
    """Write the codes one step from a point, given its correlations."""
    for j in range(len(point)):
        z[j] = shrink(point[j] + step * correlations[j], step * lam, signed)


@compiled
def shrink(value, threshold, signed):
    """Return the proximal operator of θ|z|, on z ≥ 0 unless signed."""
    removed = min(value, threshold)
    return value - (max(removed, -threshold) if signed else removed)


@compiled
def gather_products(gram, atoms, few, small_gram):
    """Write the products of the chosen atoms with each other, padded with zeros.

    They are copied, or computed where the products of all atoms are not at hand.
    """
    for a in range(len(few)):
        if len(gram) > 0:
            row = gram[few[a]]
            for b in range(len(few)):
                small_gram[a, b] = row[few[b]]
        else:
            for b in range(a + 1):
                small_gram[a, b] = small_gram[b, a] = dot(atoms[few[a]], atoms[few[b]])
        small_gram[a, len(few) :] = 0
    small_gram[len(few) :] = 0


@compiled
def dot(x, y):
    """Return xᵀ y."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


@compiled
def gather(values, few, gathered):
    """Copy the values of the chosen atoms, padded with zeros."""
    for a in range(len(few)):
        gathered[a] = values[few[a]]
    gathered[len(few) :] = 0


@compiled
def scatter(gathered, few, values):
    """Copy what was gathered back."""
    for a in range(len(few)):
        values[few[a]] = gathered[a]


@compiled
def subtract_product(gram, x, correlations):
    """Subtract G x from the correlations; four products at a time are fastest."""
    zero = x.dtype.type(0)
    for a in range(0, len(x), 4):
        sum0, sum1, sum2, sum3 = zero, zero, zero, zero
        for b in range(len(x)):
            sum0 += gram[a, b] * x[b]
            sum1 += gram[a + 1, b] * x[b]
            sum2 += gram[a + 2, b] * x[b]
            sum3 += gram[a + 3, b] * x[b]
        correlations[a] -= sum0
        correlations[a + 1] -= sum1
        correlations[a + 2] -= sum2
        correlations[a + 3] -= sum3


@compiled
def shift(point, correlations, lam, step, signed, z, z_old):
    """Take a step from the point: z becomes z_old, and the codes one step on become z.

    Returns
    -------
    Whether the codes have changed, in this step or the one before.
    """
    change = z.dtype.type(0)
    for a in range(len(z)):
        stepped = shrink(point[a] + step * correlations[a], step * lam, signed)
        change += abs(stepped - z[a]) + abs(z[a] - z_old[a])
        z_old[a] = z[a]
        z[a] = stepped
    return change > 0
