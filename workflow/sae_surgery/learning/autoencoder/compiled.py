"""The training epochs of all autoencoders on a CPU, compiled: one seed a call.

An epoch does for one batch after another what `descent.TorchDescent` does with tensors. The decoder
lies in memory with an atom a row: what sparse codes leave to do is then to add up a few rows. All
numbers are of single precision.

Sums may be reordered to use vectors, but equally for equal sizes, and matrix products are those of
one seed alone, so that a seed's result depends on nothing else.
"""

import numpy as np

from sae_surgery.inference.columns import NORM_FLOOR
from sae_surgery.learning.autoencoder.learner import LOG_THRESHOLD_CEILING
from sae_surgery.learning.kernels import add, compiled, dot, sum_of_rows, update, update_row


@compiled
def relu_epoch(learner, batches, penalty):
    """Train a ReLU autoencoder on an epoch; see `Relu` for the mathematics.

    Returns
    -------
    Reconstruction error and regulariser, means over the epoch.
    """
    values, loss = learner.values, np.zeros(2)
    for number in range(len(batches.rates)):
        centred = next_batch(batches, number, values.decoder_bias[0])
        # (atom, sample): products with so few samples are faster that way round.
        codes = np.dot(values.encoder, centred.T)
        loss[1] += rectify(codes, values.encoder_bias[0])
        error = np.dot(codes.T, values.atoms)
        loss[0] += subtract_and_scale(error, centred, batches.obs_dim)
        gradient = np.dot(values.atoms, error.T)
        pass_active(gradient, codes, codes.dtype.type(penalty / len(centred)))
        learn_dense(learner, batches.rates[number], centred, codes, error, gradient)
    return loss / len(batches.order)


@compiled
def jumprelu_epoch(learner, batches, penalty, bandwidth):
    """Train a JumpReLU autoencoder on an epoch; see `JumpRelu`. Returns what `relu_epoch` does."""
    values, first, second = learner.values, learner.first, learner.second
    loss = np.zeros(2)
    for number in range(len(batches.rates)):
        centred = next_batch(batches, number, values.decoder_bias[0])
        log_threshold = values.log_threshold[0]
        threshold = np.exp(np.minimum(log_threshold, centred.dtype.type(LOG_THRESHOLD_CEILING)))
        rectified = np.dot(values.encoder, centred.T)
        rectify(rectified, values.encoder_bias[0])
        codes = np.empty_like(rectified)
        loss[1] += jump(rectified, threshold, codes)
        error = np.dot(codes.T, values.atoms)
        loss[0] += subtract_and_scale(error, centred, batches.obs_dim)
        gradient = np.dot(values.atoms, error.T)
        by_threshold = threshold_gradient(gradient, rectified, codes, threshold, penalty, bandwidth)
        by_threshold *= log_threshold <= LOG_THRESHOLD_CEILING
        pass_active(gradient, codes, codes.dtype.type(0))
        learn_dense(learner, batches.rates[number], centred, codes, error, gradient)
        by_threshold = by_threshold.reshape(1, -1)
        rates = batches.rates[number]
        update(values.log_threshold, by_threshold, first.log_threshold, second.log_threshold, rates)
    return loss / len(batches.order)


@compiled
def topk_epoch(learner, batches, k):
    """Train a TopK autoencoder on an epoch; see `TopK`. Returns what `relu_epoch` does."""
    values, loss = learner.values, np.zeros(2)
    for number in range(len(batches.rates)):
        centred = next_batch(batches, number, values.decoder_bias[0])
        preactivations = np.dot(centred, values.encoder.T)
        chosen, codes = largest(preactivations, values.encoder_bias[0], k)
        error = combine(chosen, codes, values.atoms)
        loss[0] += subtract_and_scale(error, centred, batches.obs_dim)
        learn_sparse(learner, batches.rates[number], centred, chosen, codes, error)
    return loss / len(batches.order)


@compiled
def pursuit_epoch(learner, batches, k):
    """Train a matching-pursuit autoencoder on an epoch; see `MatchingPursuit`.

    Returns what `relu_epoch` does. Only correlations of atoms with residuals decide which atoms are
    taken, and taking a times atom j subtracts a times row j of DᵀD from them.
    """
    values, first, second = learner.values, learner.first, learner.second
    loss = np.zeros(2)
    for number in range(len(batches.rates)):
        rates = batches.rates[number]
        residual = next_batch(batches, number, values.decoder_bias[0])
        atoms, norms = unit_rows(values.atoms)
        chosen, codes = pursue(np.dot(residual, atoms.T), atoms, k)
        for sample in range(len(residual)):
            for step in range(k):
                add(-codes[sample, step], atoms, chosen[sample, step], residual, sample)
        for sample in range(len(residual)):
            loss[0] += dot(residual, sample, residual, sample) / batches.obs_dim
        by_atoms, by_residual = pull_back_pursuit(residual, chosen, codes, atoms, batches.obs_dim)
        if learner.learns_atoms:
            by_atoms /= norms
            for atom in range(len(atoms)):
                # Once because the atoms taken have unit length, once as the decoders of all types.
                project(by_atoms, atom, atoms, atom)
                project(by_atoms, atom, values.atoms, atom)
            update(values.atoms, by_atoms, first.atoms, second.atoms, rates)
        by_decoder_bias = -sum_of_rows(by_residual)
        update(values.decoder_bias, by_decoder_bias, first.decoder_bias, second.decoder_bias, rates)
    return loss / len(batches.order)


@compiled
def next_batch(batches, number, decoder_bias):
    """Return y − b_d (sample, obs) of the samples in a batch."""
    samples = batches.order[number * batches.size : (number + 1) * batches.size]
    centred = np.empty((len(samples), len(decoder_bias)), decoder_bias.dtype)
    for row in range(len(samples)):
        for i in range(len(decoder_bias)):
            centred[row, i] = batches.observations[samples[row], i] - decoder_bias[i]
    return centred


@compiled
def rectify(codes, bias):
    """Add b_e to codes (atom, sample), set negative ones to zero, and return their sum."""
    # In double precision: where arrays lie in memory decides the order of this sum.
    total, zero = 0.0, codes.dtype.type(0)
    for atom in range(len(codes)):
        offset = bias[atom]
        for sample in range(codes.shape[1]):
            value = max(codes[atom, sample] + offset, zero)
            codes[atom, sample] = value
            total += value
    return total


@compiled
def jump(rectified, threshold, codes):
    """Write u · 1[u > θ] for u (atom, sample) and return how many are not zero."""
    count, zero = 0, codes.dtype.type(0)
    for atom in range(len(codes)):
        limit = threshold[atom]
        for sample in range(codes.shape[1]):
            value = rectified[atom, sample]
            codes[atom, sample] = value if value > limit else zero
            count += value > limit
    return count


@compiled
def threshold_gradient(gradient, rectified, codes, threshold, penalty, bandwidth):
    """Return the gradient (atom,) with respect to log θ, unclamped; see `JumpRelu.pull_back`."""
    number = codes.dtype.type
    half, share = number(bandwidth / 2), number(penalty / codes.shape[1])
    by_log_threshold = np.empty_like(threshold)
    for atom in range(len(codes)):
        limit = threshold[atom]
        from_codes, from_penalty = number(0), number(0)
        for sample in range(codes.shape[1]):
            in_kernel = abs(rectified[atom, sample] - limit) <= half
            from_codes += gradient[atom, sample] if in_kernel else number(0)
            in_kernel = abs(codes[atom, sample] - limit) <= half
            from_penalty += number(1) if in_kernel else number(0)
        by_threshold = (limit * from_codes + share * from_penalty) * number(-1 / bandwidth)
        by_log_threshold[atom] = by_threshold * limit
    return by_log_threshold


@compiled
def subtract_and_scale(reconstruction, centred, obs_dim):
    """Turn W_d z into the gradient of the reconstruction error with respect to it, in place.

    Returns
    -------
    The squared errors: their sum over samples, mean over dimensions.
    """
    n_samples, n_dims = centred.shape
    scale = centred.dtype.type(2 / (n_samples * obs_dim))
    total = 0.0
    for sample in range(n_samples):
        for i in range(n_dims):
            error = reconstruction[sample, i] - centred[sample, i]
            total += np.float64(error) * error
            reconstruction[sample, i] = scale * error
    return total / obs_dim


@compiled
def pass_active(gradient, codes, penalty):
    """Add the penalty's gradient and keep what belongs to positive codes; all (atom, sample)."""
    for atom in range(len(codes)):
        for sample in range(codes.shape[1]):
            passed = gradient[atom, sample] + penalty
            gradient[atom, sample] = passed if codes[atom, sample] > 0 else codes.dtype.type(0)


@compiled
def largest(preactivations, bias, k):
    """Return which atoms have the k largest preactivations of each sample, where positive.

    Returns
    -------
    chosen
        (sample, k); where fewer than k are positive, the others have a code of zero.
    codes
        (sample, k)
    """
    n_samples, n_atoms = preactivations.shape
    chosen = np.zeros((n_samples, k), np.int64)
    codes, zero = np.zeros((n_samples, k), preactivations.dtype), preactivations.dtype.type(0)
    for sample in range(n_samples):
        for atom in range(n_atoms):
            value = preactivations[sample, atom] + bias[atom]
            # Unlike their maximum, this is no NaN, of which more than k would be found.
            preactivations[sample, atom] = value if value > zero else zero
        low, high, places = bracket(preactivations, sample, k)
        taken = 0
        for atom in range(n_atoms):
            value = preactivations[sample, atom]
            if value > low and (value > high or places > 0):
                places -= value <= high
                chosen[sample, taken], codes[sample, taken] = atom, value
                taken += 1
    return chosen, codes


@compiled
def bracket(values, row, k):
    """Bisect for the k-th largest value of a row, none of which is negative.

    Returns
    -------
    low, high, places
        The k largest are the values above `high` and, from those above `low`, as many as there are
        places. Only of equal values there are more.
    """
    # No more than k values are above this: their squares would add up to more than all squares do.
    high = np.sqrt(dot(values, row, values, row) / values.dtype.type(k))
    low = values.dtype.type(0)
    above_low, above_high = count_above(values, row, low), count_above(values, row, high)
    middle = (low + high) / values.dtype.type(2)
    while above_low > k and low < middle < high:
        above = count_above(values, row, middle)
        if above < k:
            high, above_high = middle, above
        else:
            low, above_low = middle, above
        middle = (low + high) / values.dtype.type(2)
    return low, high, k - above_high


@compiled
def count_above(values, row, limit):
    """Return how many values of a row are above a limit."""
    count = np.int32(0)
    for column in range(values.shape[1]):
        count += np.int32(values[row, column] > limit)
    return count


@compiled
def pursue(correlations, atoms, k):
    """Take k greedy steps from correlations DᵀY (sample, atom), which are overwritten.

    Returns
    -------
    The atoms taken, (sample, k), and their coefficients, in the order of the steps.
    """
    n_samples, n_atoms = correlations.shape
    chosen = np.zeros((n_samples, k), np.int64)
    codes = np.zeros((n_samples, k), atoms.dtype)
    # Rows of DᵀD are computed when first asked for, those of one step in one product.
    gram = np.empty((min(n_atoms, n_samples * k), n_atoms), atoms.dtype)
    gram_row = np.full(n_atoms, -1)
    n_rows = 0
    for step in range(k):
        missing = n_rows
        wanted = np.empty_like(atoms[:n_samples])
        for sample in range(n_samples):
            atom = largest_magnitude(correlations, sample)
            chosen[sample, step], codes[sample, step] = atom, correlations[sample, atom]
            if gram_row[atom] < 0:
                wanted[missing - n_rows] = atoms[atom]
                gram_row[atom] = missing
                missing += 1
        if step + 1 == k:
            break
        if missing > n_rows:
            np.dot(wanted[: missing - n_rows], atoms.T, gram[n_rows:missing])
        n_rows = missing
        for sample in range(n_samples):
            row = gram_row[chosen[sample, step]]
            add(-codes[sample, step], gram, row, correlations, sample)
            for taken in chosen[sample, : step + 1]:
                correlations[sample, taken] = 0
    return chosen, codes


@compiled
def largest_magnitude(values, row):
    """Return the column of the value farthest from zero in a row, the first of equals."""
    # But for their sign, floats are ordered like their bits, whose maximum vectors can find.
    bits, unsigned = values.view(np.int32), np.int32(0x7FFFFFFF)
    magnitude = np.int32(0)
    for column in range(bits.shape[1]):
        magnitude = max(magnitude, bits[row, column] & unsigned)
    for column in range(bits.shape[1]):
        if bits[row, column] & unsigned == magnitude:
            return column
    return 0


@compiled
def pull_back_pursuit(residual, chosen, codes, atoms, obs_dim):
    """Carry the gradient of the mean square of the last residuals (sample, obs) back to the start.

    `residual` holds the last ones, and is left with the first. See `MatchingPursuit.differentiate`.

    Returns
    -------
    The gradient with respect to the unit atoms (atom, obs), and to the first residuals.
    """
    by_atoms, by_residual = np.zeros_like(atoms), np.empty_like(residual)
    factor = atoms.dtype.type(2 / (len(residual) * obs_dim))
    for sample in range(len(residual)):
        by_residual[sample] = factor * residual[sample]
        for step in range(codes.shape[1] - 1, -1, -1):
            atom, code = chosen[sample, step], codes[sample, step]
            along = dot(by_residual, sample, atoms, atom)
            add(code, atoms, atom, residual, sample)
            add(-code, by_residual, sample, by_atoms, atom)
            add(-along, residual, sample, by_atoms, atom)
            add(-along, atoms, atom, by_residual, sample)
    return by_atoms, by_residual


@compiled
def combine(chosen, codes, atoms):
    """Return D z (sample, obs) of sparse codes (sample, k)."""
    out = np.zeros((len(codes), atoms.shape[1]), atoms.dtype)
    for sample in range(len(codes)):
        for i in range(codes.shape[1]):
            add(codes[sample, i], atoms, chosen[sample, i], out, sample)
    return out


@compiled
def learn_dense(learner, rates, centred, codes, error, gradient):
    """Take a step with all but thresholds, given error and gradient by W_e (y − b_d) + b_e.

    Codes and gradient are of shape (atom, sample), the others (sample, obs).
    """
    values, first, second = learner.values, learner.first, learner.second
    by_encoder = np.dot(gradient, centred)
    ones = np.ones(len(centred), centred.dtype)
    by_encoder_bias = np.dot(gradient, ones).reshape(1, -1)
    # b_d is added to the reconstruction and subtracted from what the encoder sees.
    by_decoder_bias = sum_of_rows(error) - np.dot(by_encoder_bias, values.encoder)
    if learner.learns_atoms:
        by_atoms = np.dot(codes, error)
        for atom in range(len(by_atoms)):
            project(by_atoms, atom, values.atoms, atom)
        update(values.atoms, by_atoms, first.atoms, second.atoms, rates)
    update(values.encoder, by_encoder, first.encoder, second.encoder, rates)
    update(values.encoder_bias, by_encoder_bias, first.encoder_bias, second.encoder_bias, rates)
    update(values.decoder_bias, by_decoder_bias, first.decoder_bias, second.decoder_bias, rates)


@compiled
def learn_sparse(learner, rates, centred, chosen, codes, error):
    """Do what `learn_dense` does for codes (sample, k) of atoms `chosen`, an atom at a time."""
    values, first, second = learner.values, learner.first, learner.second
    k = codes.shape[1]
    starts, entries = by_atom(chosen, len(values.atoms))
    by_row = np.empty((1, centred.shape[1]), centred.dtype)
    by_encoder_row = np.empty_like(by_row)
    by_encoder_bias = np.zeros_like(values.encoder_bias)
    by_decoder_bias = sum_of_rows(error)
    for atom in range(len(values.atoms)):
        by_row[:] = 0
        by_encoder_row[:] = 0
        for entry in entries[starts[atom] : starts[atom + 1]]:
            sample, code = entry // k, codes[entry // k, entry % k]
            if code > 0:
                slope = dot(values.atoms, atom, error, sample)
                by_encoder_bias[0, atom] += slope
                add(code, error, sample, by_row, 0)
                add(slope, centred, sample, by_encoder_row, 0)
        add(-by_encoder_bias[0, atom], values.encoder, atom, by_decoder_bias, 0)
        if learner.learns_atoms:
            project(by_row, 0, values.atoms, atom)
            update_row(values.atoms, atom, by_row, 0, first.atoms, second.atoms, rates)
        update_row(values.encoder, atom, by_encoder_row, 0, first.encoder, second.encoder, rates)
    update(values.encoder_bias, by_encoder_bias, first.encoder_bias, second.encoder_bias, rates)
    update(values.decoder_bias, by_decoder_bias, first.decoder_bias, second.decoder_bias, rates)


@compiled
def by_atom(chosen, n_atoms):
    """Sort the entries of `chosen` (sample, k), counted row by row, by atom.

    Returns
    -------
    starts
        (atom + 1,): those of an atom are ``entries[starts[atom] : starts[atom + 1]]``.
    entries
        (sample · k,)
    """
    atoms = chosen.ravel()
    starts = np.zeros(n_atoms + 1, np.int64)
    for atom in atoms:
        starts[atom + 1] += 1
    starts = np.cumsum(starts)
    filled = starts.copy()
    entries = np.empty(len(atoms), np.int64)
    for entry in range(len(atoms)):
        entries[filled[atoms[entry]]] = entry
        filled[atoms[entry]] += 1
    return starts, entries


@compiled
def project(gradient, row, atoms, atom):
    """Remove from a row of the gradient what points along an atom, which may not be of length 1."""
    add(-dot(gradient, row, atoms, atom), atoms, atom, gradient, row)


@compiled
def unit_rows(rows):
    """Return rows divided by their 2-norms, which are floored, and these norms (row, 1)."""
    norms = np.empty((len(rows), 1), rows.dtype)
    for row in range(len(rows)):
        norms[row, 0] = max(np.sqrt(dot(rows, row, rows, row)), rows.dtype.type(NORM_FLOOR))
    return rows / norms, norms
