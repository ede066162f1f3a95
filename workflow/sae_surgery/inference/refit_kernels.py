"""The loops of `refit`, compiled: small dense problems, one for each sample.

A factor is the lower triangle L of a Gram matrix G = L Lᵀ, grown row by row. Sums may be reordered
to use vectors, but equally for equal sizes, so that a sample's codes depend on nothing else.
"""

import numpy as np

from sae_surgery.machine.jit import jit

# Compiling takes longer than fitting; kept in __pycache__, it is done once.
compiled = jit(fastmath={"reassoc", "contract"})


@compiled
def dot(x, y):
    """Return xᵀy."""
    total = 0.0
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


@compiled
def subtract(scale, x, y):
    """Subtract a multiple of x from the head of y, in place."""
    for i in range(len(x)):
        y[i] -= scale * x[i]


@compiled
def extend(factor, vectors, chosen, i):
    """Write row i of the factor of the chosen vectors' Gram matrix, but for the pivot L_ii.

    Returns
    -------
    L_ii², the squared distance of the vector from those before it.
    """
    row, vector = factor[i], vectors[chosen[i]]
    for j in range(i):
        row[j] = (dot(vectors[chosen[j]], vector) - dot(row[:j], factor[j, :j])) / factor[j, j]
    return dot(vector, vector) - dot(row[:i], row[:i])


@compiled
def solve(factor, x):
    """Overwrite x with the solution z of L Lᵀ z = x, L being the first rows of a factor."""
    for i in range(len(x)):
        x[i] = (x[i] - dot(factor[i, :i], x[:i])) / factor[i, i]
    for i in range(len(x) - 1, -1, -1):
        x[i] /= factor[i, i]
        subtract(x[i], factor[i, :i], x)


@compiled
def least_squares(ridge, observations, columns, rows, support, codes):
    """Write (D_Sᵀ D_S + ε I)⁻¹ D_Sᵀ y into the support S of each sample's codes.

    With more atoms than dimensions it is computed as D_Sᵀ (D_S D_Sᵀ + ε I)⁻¹ y, which is equal and
    has the smaller matrix.

    Parameters
    ----------
    ridge
        ε
    observations
        y (sample, obs)
    columns, rows
        D (obs, atom) and its transpose, both contiguous.
    support
        (sample, atom), boolean
    codes
        (sample, atom), zero where there is no support.
    """
    obs_dim = len(columns)
    factor = np.empty((obs_dim, obs_dim))
    order = np.arange(obs_dim)
    for sample in range(len(observations)):
        y = observations[sample]
        active = np.flatnonzero(support[sample])
        tall = len(active) <= obs_dim
        vectors = rows[active] if tall else columns[:, active]
        solution = np.empty(len(vectors))
        for i in range(len(vectors)):
            # Rounding can leave a squared distance below zero where vectors are dependent.
            factor[i, i] = np.sqrt(max(extend(factor, vectors, order, i), 0.0) + ridge)
            solution[i] = dot(vectors[i], y) if tall else y[i]
        solve(factor, solution)
        for i in range(len(active)):
            codes[sample, active[i]] = solution[i] if tall else dot(vectors[:, i], solution)


@compiled
def rounded_least_squares(ridge, observations, columns, rows, support, codes):
    """Do what `least_squares` does, with D_Sᵀ D_S and D_Sᵀ y computed in single precision.

    Arguments as for `least_squares`.
    """
    for sample in range(len(observations)):
        active = np.flatnonzero(support[sample])
        vectors = rows[active].astype(np.float32)
        gram = (vectors @ vectors.T).astype(np.float64)
        for i in range(len(active)):
            gram[i, i] += ridge
        target = (vectors @ observations[sample].astype(np.float32)).astype(np.float64)
        codes[sample][active] = np.linalg.solve(gram, target)


@compiled
def non_negative_least_squares(
    tolerance, steps_an_atom, observations, columns, rows, support, codes
):
    """Write the z ≥ 0 that minimises ‖y − D_S z‖² into the support S of each sample's codes.

    `tolerance` and `steps_an_atom` are those of `refit`; for the others see `least_squares`.
    """
    for sample in range(len(observations)):
        active = np.flatnonzero(support[sample])
        max_steps = steps_an_atom * len(active)
        chosen, values = lawson_hanson(rows[active], observations[sample], tolerance, max_steps)
        for i in range(len(chosen)):
            codes[sample, active[chosen[i]]] = values[i]


@compiled
def lawson_hanson(atoms, y, tolerance, max_steps):
    """Minimise ‖y − Σ z_j d_j‖² over z ≥ 0, given atoms d_j as rows.

    In each step the atom that correlates most with the residual joins those that are chosen, whose
    values move to their least squares, and those whose values would turn negative leave.

    Returns
    -------
    The chosen atoms and their values, all positive.
    """
    n_atoms, obs_dim = atoms.shape
    max_chosen = min(n_atoms, obs_dim)
    chosen = np.empty(max_chosen, np.int64)
    values, target = np.empty(max_chosen), np.empty(max_chosen)
    factor = np.empty((max_chosen, max_chosen))
    norms = np.array([np.sqrt(dot(atom, atom)) for atom in atoms])
    threshold = tolerance * np.sqrt(dot(y, y))
    candidate = np.ones(n_atoms, np.bool_)
    residual = y.copy()
    size = 0
    for _ in range(max_steps + 1):
        best = steepest(atoms, norms, residual, candidate, threshold)
        if best < 0:
            return chosen[:size], values[:size]
        # An atom refused below has gained its slope by rounding: it waits for another residual.
        candidate[best] = False
        if size == max_chosen:
            continue
        chosen[size], values[size] = best, 0.0
        pivot = extend(factor, atoms, chosen, size)
        if pivot <= (tolerance * norms[best]) ** 2:
            continue
        factor[size, size] = np.sqrt(pivot)
        least_squares_of_chosen(factor, atoms, chosen[: size + 1], y, target)
        if target[size] <= 0:
            continue
        size = drop_negative(factor, atoms, chosen, values, target, size + 1, y)
        residual = y.copy()
        candidate[:] = True
        for i in range(size):
            values[i] = target[i]
            subtract(values[i], atoms[chosen[i]], residual)
            candidate[chosen[i]] = False
    raise RuntimeError("non-negative least squares did not end: rounding makes it cycle")


@compiled
def steepest(atoms, norms, residual, candidate, threshold):
    """Return the candidate of largest cosine with the residual, -1 if none is above threshold."""
    best, largest = -1, threshold
    for j in range(len(atoms)):
        if candidate[j] and norms[j] > 0:
            slope = dot(atoms[j], residual) / norms[j]
            if slope > largest:
                best, largest = j, slope
    return best


@compiled
def least_squares_of_chosen(factor, atoms, chosen, y, target):
    """Write the least-squares values of the chosen atoms into the head of target."""
    for i in range(len(chosen)):
        target[i] = dot(atoms[chosen[i]], y)
    solve(factor, target[: len(chosen)])


@compiled
def drop_negative(factor, atoms, chosen, values, target, size, y):
    """Go from values towards target, dropping atoms that reach zero, until target is positive.

    Returns
    -------
    The number of atoms that stay; they head `chosen`, and their least squares `target`.
    """
    while True:
        step = 1.0
        for i in range(size):
            if target[i] <= 0:
                step = min(step, values[i] / (values[i] - target[i]))
        kept, first_dropped = 0, size
        for i in range(size):
            if target[i] <= 0 and values[i] / (values[i] - target[i]) <= step:
                first_dropped = min(first_dropped, i)
            else:
                chosen[kept] = chosen[i]
                values[kept] = values[i] + step * (target[i] - values[i])
                kept += 1
        if kept == size:
            return size
        size = kept
        for i in range(first_dropped, size):
            factor[i, i] = np.sqrt(extend(factor, atoms, chosen, i))
        least_squares_of_chosen(factor, atoms, chosen[:size], y, target)
