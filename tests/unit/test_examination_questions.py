"""Each question on planted data, where the answer is known."""

import numpy as np
import pytest
import torch

from examined import ATOMS, SIZES, K, dictionary, subject, true_codes, value
from sae_surgery import examination
from sae_surgery.examination import HELD_OUT, LEARN, OOD
from sae_surgery.examination._references import unit
from sae_surgery.examination._solving import pursue
from sae_surgery.inference.sparse import SparseCodes


def ask(name, asked):
    return examination.load(name).answer(asked)


def moved(codes):
    """Return codes of which each sample's first active atom stands at another place."""
    other = codes.copy()
    for row in other:
        active = np.flatnonzero(row)
        free = np.flatnonzero(row == 0)[0]
        row[free], row[active[0]] = row[active[0]], 0
    return other


def test_every_question_says_what_it_gives():
    for name in examination.available():
        question = examination.load(name)
        assert question.title and question.asks and question.quantities
        assert isinstance(examination.trait(name, "place"), int)


def test_an_encoder_that_shrinks_is_at_fault_by_magnitudes_alone():
    answer = ask("encoder", subject(lambda z: 0.5 * z))
    assert value(answer, "encoder", "explained_variance") < 0.8
    assert value(answer, "refitted", "explained_variance") == pytest.approx(1, abs=1e-4)
    assert value(answer, "gradient", "explained_variance") > 0.99
    assert value(answer, "refitted", "shrinkage") == pytest.approx(2, abs=1e-3)
    gap = value(answer, "gap", "gain")
    assert value(answer, "magnitudes", "gain") == pytest.approx(gap, abs=0.01)
    assert value(answer, "support", "gain") == pytest.approx(0, abs=0.01)


def test_an_encoder_with_wrong_supports_is_at_fault_by_its_support():
    answer = ask("encoder", subject(moved))
    assert value(answer, "omp", "explained_variance") > 0.97
    assert value(answer, "support", "gain") > 0.2
    total = value(answer, "magnitudes", "gain") + value(answer, "support", "gain")
    assert total == pytest.approx(value(answer, "gap", "gain"), abs=1e-6)


def test_solved_codes_are_as_many_as_the_encoder_has():
    answer = ask("encoder", subject(moved))
    for name in ("omp", "gradient_pursuit"):
        assert value(answer, name, "l0") <= K + 1e-9
    assert value(answer, "lasso", "l0") == pytest.approx(K, rel=0.05)


def test_a_perfect_encoder_has_no_gap():
    answer = ask("encoder", subject())
    assert value(answer, "encoder", "explained_variance") == pytest.approx(1, abs=1e-6)
    assert value(answer, "gap", "gain") == pytest.approx(0, abs=0.01)


def test_rows_out_of_distribution_are_scored_by_themselves():
    plain = subject()
    observations = plain.observations | {OOD: plain.observations[HELD_OUT]}
    codes = plain.codes | {OOD: plain.codes[HELD_OUT]}
    answer = ask("encoder", subject(observations=observations, codes=codes))
    own = value(answer, "omp", "explained_variance", split=HELD_OUT)
    assert value(answer, "omp", "explained_variance", split=OOD) == own


def test_codes_of_next_to_zero_are_worth_one_iteration_at_most():
    answer = ask("encoder", subject(lambda z: 1e-9 * z))
    assert value(answer, "encoder", "iterations_worth") <= 1


def test_a_lasso_that_no_penalty_makes_so_sparse_is_left_out_and_named():
    answer = ask("encoder", subject(lambda z: np.where(z > 1.4, 1, 0)))
    assert "lasso" not in {row.condition for row in answer.rows}
    assert any(note.startswith("The lasso is left out: ") for note in answer.notes)


def test_better_codes_are_worth_more_iterations():
    worth = [
        value(ask("encoder", subject(encode)), "encoder", "iterations_worth")
        for encode in (lambda z: 0.3 * z, lambda z: 0.7 * z)
    ]
    assert worth[0] < worth[1]


def test_a_spoilt_decoder_loses_against_the_true_dictionary():
    errors = 0.1 * np.random.default_rng(5).normal(size=dictionary().shape)
    spoilt = unit(dictionary() + errors).astype(np.float32)
    answer = ask(
        "decoder",
        subject(
            dictionary=spoilt.astype(np.float32), learned={"0": dictionary(), "started": spoilt}
        ),
    )
    assert value(answer, "scratch", "gain") > 0.05
    assert value(answer, "scratch", "explained_variance", at=float(K)) > 0.95
    assert value(answer, "started", "gain") == pytest.approx(0, abs=1e-6)


def test_the_true_decoder_beats_references_and_components_of_its_rank():
    answer = ask("decoder", subject())
    own = value(answer, "decoder", "explained_variance", at=float(K))
    for name in ("random", "samples", "pca"):
        assert value(answer, name, "explained_variance", at=float(K)) < own - 0.05
    assert "No dictionary was learned" in " ".join(answer.notes)


def test_rows_that_were_learned_from_are_left_out_of_a_number_of_their_own():
    seen = np.zeros(SIZES[HELD_OUT], bool)
    seen[:100] = True
    answer = ask("decoder", subject(seen=seen))
    unseen = value(answer, "decoder", "explained_variance_unseen")
    assert unseen != value(answer, "decoder", "explained_variance", at=float(K))


def test_dead_rare_and_doubled_atoms_are_counted():
    atoms = dictionary()
    atoms[:, 1] = atoms[:, 0]
    fired = np.full(ATOMS, 500)
    fired[:4], fired[4:10], fired[10] = 0, 1, 90_000
    answer = ask("health", subject(dictionary=atoms, fired=fired, n_counted=100_000))
    assert value(answer, "decoder", "dead") == 4 / ATOMS
    assert value(answer, "decoder", "rare") == 6 / ATOMS
    assert value(answer, "decoder", "frequent") == 1 / ATOMS
    assert value(answer, "decoder", "duplicates") == 2 / ATOMS
    assert value(answer, "decoder", "coherence") == pytest.approx(1)
    assert value(answer, "decoder", "norm", at=0.5) == pytest.approx(1)


def test_the_same_atoms_in_another_order_are_stable():
    other = dictionary()[:, np.random.default_rng(0).permutation(ATOMS)]
    answer = ask("stability", subject(beside={"other": other}))
    assert value(answer, "with other", "matched_cosine") == pytest.approx(1)
    assert value(answer, "random", "matched_cosine") < 0.8


def test_planted_codes_are_recovered_by_solving():
    answer = ask("planted", subject())
    for split in ("own", "recombined", "new_pairs"):
        for name in ("encoder", "omp"):
            assert value(answer, name, "f1", split=split, at=0.0) > 0.97
        assert value(answer, "omp", "mcc", split=split, at=0.0) > 0.97
    assert value(answer, "encoder", "new_pairs", split="own") == 0


def test_an_encoder_that_knows_usual_combinations_alone_loses_when_they_are_recombined():
    """It knows two blocks of atoms, and takes for each sample the block that fits better."""
    half = ATOMS // 2

    def blocks(size, seed):
        codes = np.zeros((size, ATOMS))
        for place, row in enumerate(codes):
            drawn = np.random.default_rng([seed, place])
            atoms = drawn.permutation(half)[:4] + half * (place % 2)
            row[atoms] = drawn.uniform(0.5, 1.5, 4)
        return codes

    d = dictionary()
    true = {split: blocks(size, place) for place, (split, size) in enumerate(SIZES.items())}
    observations = {split: (z @ d.T).astype(np.float32) for split, z in true.items()}

    def encode(y):
        found = [
            pursue(y, d * mask, 4) for mask in (np.arange(ATOMS) < half, np.arange(ATOMS) >= half)
        ]
        dense = [each.dense()[0].numpy() for each in found]
        errors = [np.square(y - z @ d.T).sum(axis=1) for z in dense]
        best = np.where((errors[0] < errors[1])[:, None], *dense)
        return SparseCodes.pack(torch.from_numpy(best)[None])

    codes = {split: encode(y) for split, y in observations.items()}
    answer = ask("planted", subject(observations=observations, codes=codes, encode=encode))
    assert value(answer, "encoder", "f1", split="own", at=0.0) > 0.95
    assert value(answer, "encoder", "f1", split="recombined", at=0.0) < 0.8
    assert value(answer, "omp", "f1", split="recombined", at=0.0) > 0.9
    assert value(answer, "encoder", "new_pairs", split="recombined") > 0.3


def test_codes_that_may_be_negative_are_not_planted():
    answer = ask("planted", subject(signed=True))
    assert not answer.rows and "negative" in answer.notes[0]


def test_an_atom_that_is_a_label_is_found():
    held = {split: true_codes(size, place) for place, (split, size) in enumerate(SIZES.items())}
    labels = {split: held[split][:, [7, 8, 9]] > 0 for split in (LEARN, HELD_OUT)}
    # One that hardly any row has.
    labels = {
        split: np.column_stack([each, np.arange(len(each)) == 0]) for split, each in labels.items()
    }
    answer = ask("labels", subject(labels=labels))
    assert value(answer, "encoder", "auc") == pytest.approx(1)
    assert value(answer, "encoder", "f1") == pytest.approx(1)
    assert value(answer, "dense", "auc") < 0.97
    assert value(answer, "encoder", "n_labels") <= 3
    assert "left out" in answer.notes[0]
