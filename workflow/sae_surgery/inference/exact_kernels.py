"""The loops of `exact`, compiled: what each sample does on its own between two matrix products.

A sample holds a small set of atoms S with positive values, the factor L of their Gram matrix
G = L Lᵀ, and its residual. Where codes are signed, an atom enters S with the sign of its
correlation, and values are those of σ d, again positive. A sample's arithmetic is in double
precision and depends on no other sample.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from sae_surgery.inference.refit_kernels import subtract
from sae_surgery.machine.jit import jit

FASTMATH = {"reassoc", "contract"}
compiled = jit(fastmath=FASTMATH, nogil=True)
# A call that passes the state of a block costs as much as the arithmetic of a small set.
inlined = njit(fastmath=FASTMATH, inline="always")

CHUNK = 64
"""Correlations looked at together: most chunks hold none that is large enough."""

PIVOT_FLOOR = 1e-10
"""Smallest squared distance of an atom from the span of S, relative to its squared norm.

An atom within the span moves against S until one of S reaches zero and leaves: a floor that is
small, but not zero, makes this step of the step that all atoms take.
"""


class Atoms(NamedTuple):
    """A dictionary and its weights."""

    rows: np.ndarray
    """d_j (atom, obs), contiguous"""
    weights: np.ndarray
    """w_j (atom,), positive, float64"""
    signed: bool


class Samples(NamedTuple):
    """The state of a block of samples; only the first `size` entries of a set mean anything."""

    observations: np.ndarray
    """y (sample, obs), float64"""
    residual: np.ndarray
    """y − D z (sample, obs), float64"""
    size: np.ndarray
    """Number of atoms in S, (sample,)"""
    atoms: np.ndarray
    """Atoms of S, (sample, capacity)"""
    signs: np.ndarray
    """σ, 1 or −1, (sample, capacity)"""
    values: np.ndarray
    """|z| on S, (sample, capacity)"""
    slack: np.ndarray
    """σ dᵀr − w on S, (sample, capacity): minus the derivative of the objective"""
    gram: np.ndarray
    """Lower triangle of G (sample, capacity, capacity)"""
    factor: np.ndarray
    """L (sample, capacity, capacity), with the reciprocals of its diagonal"""
    n_waiting: np.ndarray
    """Number of atoms outside S that may join it, (sample,)"""
    waiting: np.ndarray
    """These atoms, (sample, slot)"""
    ratio: np.ndarray
    """Their |dᵀr| / w, dᵀr if not signed, (sample, slot)"""
    floor: np.ndarray
    """Largest computed |dᵀr| / (w ‖r‖) of all others outside S may have, (sample,)"""
    norm: np.ndarray
    """‖r‖ when r was last correlated with all atoms, (sample,)"""
    gap: np.ndarray
    """Relative duality gap, (sample,)"""
    n_rounds: np.ndarray
    """How many times the gap was computed, (sample,)"""


@compiled
def dot(x, y):
    """Return xᵀy in double precision, whatever that of x and y."""
    total = 0.0
    for i in range(len(x)):
        total += np.float64(x[i]) * np.float64(y[i])
    return total


@compiled
def begin(problem, samples, counts, atoms, values):
    """Let samples start from codes given as entries, row by row.

    Negative values are left out where codes are non-negative, and so are atoms of zeros and those
    that depend on the others of a sample.
    """
    entry = 0
    for i in range(len(counts)):
        for _ in range(counts[i]):
            value, row = values[entry], problem.rows[atoms[entry]]
            allowed = value > 0 or (problem.signed and value < 0)
            if allowed and dot(row, row) > 0:
                independent = join(problem, samples, i, atoms[entry], 1.0 if value > 0 else -1.0)
                samples.values[i, samples.size[i] - 1] = abs(value)
                samples.size[i] -= not independent
            entry += 1
        refresh(problem, samples, i)
        settle(problem, samples, i)


@compiled
def direct(samples, running, directions):
    """Empty the waiting lists of running samples and write r / ‖r‖, row by row."""
    for row in range(len(running)):
        i = running[row]
        residual = samples.residual[i]
        samples.norm[i] = np.sqrt(dot(residual, residual))
        samples.n_waiting[i], samples.floor[i] = 0, 0.0
        scale = 1 / samples.norm[i] if samples.norm[i] > 0 else 0.0
        for k in range(len(residual)):
            directions[row, k] = residual[k] * scale


@compiled
def collect(problem, samples, running, correlations, inverse, first, error, share):
    """Put atoms that correlate enough with the residuals on the samples' waiting lists.

    Parameters
    ----------
    running
        The samples that `correlations` belong to.
    correlations
        dᵀr / ‖r‖ (sample, atom) of atoms from `first` on; overwritten.
    inverse
        1 / w (atom,) of these atoms, of the same precision.
    error
        Bound of the rounding errors of dᵀr / (w ‖r‖).
    share
        Atoms below this share of the largest ratio need not wait.
    """
    found = np.empty(CHUNK, np.int64)
    n_atoms = correlations.shape[1]
    for row in range(len(running)):
        i, ratios = running[row], correlations[row]
        if samples.norm[i] == 0:
            continue
        for j in range(n_atoms):
            magnitude = abs(ratios[j]) if problem.signed else ratios[j]
            ratios[j] = magnitude * inverse[j]
        for a in range(samples.size[i]):
            if 0 <= samples.atoms[i, a] - first < n_atoms:
                ratios[samples.atoms[i, a] - first] = 0
        floor = max(samples.floor[i], 1 / samples.norm[i] - error, share * largest(ratios) - error)
        for start in range(0, n_atoms, CHUNK):
            chunk = ratios[start : start + CHUNK]
            for slot in range(find_above(floor, chunk, found)):
                ratio = chunk[found[slot]]
                if samples.n_waiting[i] == samples.waiting.shape[1]:
                    floor = max(floor, shorten(samples, i))
                if ratio > floor:
                    last = samples.n_waiting[i]
                    samples.waiting[i, last] = first + start + found[slot]
                    samples.ratio[i, last] = ratio
                    samples.n_waiting[i] = last + 1
        samples.floor[i] = floor


@compiled
def largest(values):
    """Return the largest of `values` and 0.

    Counting what is larger uses vectors, as a running maximum would not; few chunks hold any.
    """
    top = values.dtype.type(0)
    for start in range(0, len(values), CHUNK):
        chunk = values[start : start + CHUNK]
        if n_above(top, chunk) > 0:
            for j in range(len(chunk)):
                top = max(top, chunk[j])
    return top


@compiled
def n_above(floor, values):
    """Count the values above a floor."""
    count = np.int32(0)
    for j in range(len(values)):
        count += np.int32(values[j] > floor)
    return count


@compiled
def find_above(floor, values, found):
    """Write the indices of values above a floor and return their number."""
    floor = values.dtype.type(floor)
    count = 0
    if n_above(floor, values) > 0:
        for j in range(len(values)):
            found[count] = j
            count += values[j] > floor
    return count


@compiled
def shorten(samples, i):
    """Keep the larger half of a full waiting list and return the largest ratio that has left."""
    order = np.argsort(samples.ratio[i])
    n_left = len(order) // 2
    bound = samples.ratio[i, order[n_left - 1]]
    kept = order[n_left:]
    samples.waiting[i, : len(kept)] = samples.waiting[i][kept]
    samples.ratio[i, : len(kept)] = samples.ratio[i][kept]
    samples.n_waiting[i] = len(kept)
    return bound


@compiled
def advance(problem, samples, running, error, tolerance, n_joining, max_steps):
    """Certify each running sample, and let those that miss the tolerance take steps.

    Parameters
    ----------
    running
        Samples whose waiting lists are new; those that go on are moved to its head, and behind
        them those that cannot: no atom joins S, and solving again on S does not help either.
    error
        Bound of the rounding error of the ratios of atoms that do not wait, in units of ‖r‖.
    n_joining
        How many atoms join S at once.
    max_steps
        How many times they do, at most; with 0 samples are only certified.

    Returns
    -------
    The numbers of samples that go on, and of those that cannot.
    """
    stalled = np.empty(len(running), np.int64)
    n_running = n_stalled = 0
    for i in running:
        weigh(problem, samples, i)
        before = samples.gap[i]
        samples.gap[i] = relative_gap(problem, samples, i, error)
        samples.n_rounds[i] += 1
        if samples.gap[i] <= tolerance:
            continue
        full = samples.size[i] == samples.atoms.shape[1]
        steps = 0
        while steps < max_steps and admit(problem, samples, i, n_joining):
            settle(problem, samples, i)
            weigh(problem, samples, i)
            steps += 1
        if steps == 0 and max_steps > 0:
            settle(problem, samples, i)
        if steps > 0 or full or samples.gap[i] < before / 2:
            running[n_running] = i
            n_running += 1
        else:
            stalled[n_stalled] = i
            n_stalled += 1
    running[n_running : n_running + n_stalled] = stalled[:n_stalled]
    return n_running, n_stalled


@inlined
def weigh(problem, samples, i):
    """Compute the ratios |dᵀr| / w of a sample's waiting atoms in double precision."""
    for slot in range(samples.n_waiting[i]):
        atom = samples.waiting[i, slot]
        correlation = dot(problem.rows[atom], samples.residual[i])
        if problem.signed:
            correlation = abs(correlation)
        samples.ratio[i, slot] = correlation / problem.weights[atom]


@inlined
def relative_gap(problem, samples, i, error):
    """Return the duality gap of a sample, relative to its objective; see `exact`."""
    top = max(1.0, (samples.floor[i] + error) * samples.norm[i])
    for slot in range(samples.n_waiting[i]):
        top = max(top, samples.ratio[i, slot])
    penalty = 0.0
    for a in range(samples.size[i]):
        weight = problem.weights[samples.atoms[i, a]]
        top = max(top, 1 + abs(samples.slack[i, a]) / weight)
        penalty += weight * samples.values[i, a]
    scale = 1 / top
    squared = dot(samples.residual[i], samples.residual[i])
    gap = (1 - scale) ** 2 * squared / 2
    for a in range(samples.size[i]):
        weight = problem.weights[samples.atoms[i, a]]
        gap += samples.values[i, a] * ((1 - scale) * weight - scale * samples.slack[i, a])
    objective = squared / 2 + penalty
    return 0.0 if objective == 0 else gap / objective


@inlined
def admit(problem, samples, i, n_joining):
    """Move the waiting atoms of largest ratio, where above 1, into S and tell whether any was.

    An atom that depends on S is the last to join: two of them could exchange their values freely.
    """
    n_joining = min(n_joining, samples.atoms.shape[1] - samples.size[i])
    for joined in range(n_joining):
        best, top = -1, 1.0
        for slot in range(samples.n_waiting[i]):
            if samples.ratio[i, slot] > top:
                best, top = slot, samples.ratio[i, slot]
        if best < 0:
            return joined > 0
        atom = samples.waiting[i, best]
        samples.n_waiting[i] -= 1
        samples.waiting[i, best] = samples.waiting[i, samples.n_waiting[i]]
        samples.ratio[i, best] = samples.ratio[i, samples.n_waiting[i]]
        correlation = dot(problem.rows[atom], samples.residual[i])
        independent = join(problem, samples, i, atom, 1.0 if correlation > 0 else -1.0)
        samples.slack[i, samples.size[i] - 1] = abs(correlation) - problem.weights[atom]
        if not independent:
            return True
    return n_joining > 0


@inlined
def join(problem, samples, i, atom, sign):
    """Append an atom to S, its value zero, and tell whether it is independent of those before."""
    size = samples.size[i]
    samples.atoms[i, size] = atom
    samples.signs[i, size] = sign
    samples.values[i, size] = 0.0
    samples.size[i] = size + 1
    gram = samples.gram[i]
    for a in range(size + 1):
        product = dot(problem.rows[atom], problem.rows[samples.atoms[i, a]])
        gram[size, a] = sign * samples.signs[i, a] * product
    return factorise(gram, samples.factor[i], size)


@inlined
def factorise(gram, factor, i):
    """Write row i of the factor of a Gram matrix and tell whether its pivot is above the floor."""
    row = factor[i]
    for j in range(i):
        row[j] = (gram[i, j] - dot(row[:j], factor[j, :j])) * factor[j, j]
    pivot = gram[i, i] - dot(row[:i], row[:i])
    floor = PIVOT_FLOOR * gram[i, i]
    row[i] = 1 / np.sqrt(max(pivot, floor))
    return pivot > floor


@inlined
def settle(problem, samples, i):
    """Move the values of S to the minimum, dropping atoms that reach zero on the way.

    Each step goes towards the minimum over all values of S, as far as none turns negative.
    """
    values, slack = samples.values[i], samples.slack[i]
    step = 0.0
    while step < 1:
        size = samples.size[i]
        move = slack[:size].copy()
        solve(samples.factor[i], move)
        step = 1.0
        for a in range(size):
            if move[a] < 0:
                step = min(step, -values[a] / move[a])
        for a in range(size):
            blocks = move[a] < 0 and -values[a] / move[a] <= step and step < 1
            values[a] = -1.0 if blocks else max(values[a] + step * move[a], 0.0)
        leave(samples, i)
        if step > 0:
            refresh(problem, samples, i)


@inlined
def solve(factor, x):
    """Overwrite x with the solution z of L Lᵀ z = x."""
    for i in range(len(x)):
        x[i] = (x[i] - dot(factor[i, :i], x[:i])) * factor[i, i]
    for i in range(len(x) - 1, -1, -1):
        x[i] *= factor[i, i]
        subtract(x[i], factor[i, :i], x)


@inlined
def leave(samples, i):
    """Take the atoms that are marked by a negative value out of S."""
    size, values, gram = samples.size[i], samples.values[i], samples.gram[i]
    first, kept = size, 0
    for a in range(size):
        if values[a] < 0:
            first = min(first, a)
            continue
        if kept < a:
            column = 0
            for b in range(a + 1):
                if values[b] >= 0:
                    gram[kept, column] = gram[a, b]
                    column += 1
        kept += 1
    if kept == size:
        return
    kept = first
    for a in range(first, size):
        if values[a] >= 0:
            samples.atoms[i, kept] = samples.atoms[i, a]
            samples.signs[i, kept] = samples.signs[i, a]
            samples.slack[i, kept] = samples.slack[i, a]
            values[kept] = values[a]
            kept += 1
    samples.size[i] = kept
    for a in range(first, kept):
        factorise(gram, samples.factor[i], a)


@inlined
def refresh(problem, samples, i):
    """Compute the residual and the slack of a sample anew."""
    residual = samples.residual[i]
    residual[:] = samples.observations[i]
    for a in range(samples.size[i]):
        atom = samples.atoms[i, a]
        subtract(samples.signs[i, a] * samples.values[i, a], problem.rows[atom], residual)
    for a in range(samples.size[i]):
        atom = samples.atoms[i, a]
        correlation = samples.signs[i, a] * dot(problem.rows[atom], residual)
        samples.slack[i, a] = correlation - problem.weights[atom]


@compiled
def gather(samples, counts, atoms, values):
    """Write the codes of a block: how many entries a sample has, their atoms, in order, and values.

    Returns
    -------
    The number of entries written.
    """
    entry = 0
    for i in range(len(counts)):
        start = entry
        for a in np.argsort(samples.atoms[i, : samples.size[i]]):
            if samples.values[i, a] > 0:
                atoms[entry] = samples.atoms[i, a]
                values[entry] = samples.signs[i, a] * samples.values[i, a]
                entry += 1
        counts[i] = entry - start
    return entry
