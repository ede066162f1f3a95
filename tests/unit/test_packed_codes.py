"""Codes that are packed sample by sample are those that are packed at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sae_surgery.files import codes as codes_module
from sae_surgery.files.codes import PackedCodes


def draw_codes(n_seeds: int, n_samples: int) -> np.ndarray:
    rng = np.random.default_rng(n_samples)
    codes = rng.normal(size=(n_seeds, n_samples, 6)).astype(np.float32)
    return np.where(rng.random(codes.shape) < 0.3, codes, 0)


@given(st.integers(1, 3), st.integers(1, 20), st.sets(st.integers(1, 19)))
def test_joined_parts_are_the_whole(n_seeds, n_samples, cuts):
    codes = draw_codes(n_seeds, n_samples)
    parts = np.split(codes, sorted(cut for cut in cuts if cut < n_samples), axis=1)
    joined, whole = PackedCodes.join([PackedCodes.pack(p) for p in parts]), PackedCodes.pack(codes)
    assert joined.n_atoms == whole.n_atoms
    for name in ("counts", "atoms", "values"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_entries_of_a_row_are_its_non_zeros_in_order():
    codes = draw_codes(3, 11)
    for seed, row in enumerate(codes):
        atoms, values = PackedCodes.pack(codes).entries(seed)
        np.testing.assert_array_equal(atoms, np.nonzero(row)[1])
        np.testing.assert_array_equal(values, row[row != 0])


def test_few_entries_at_once_are_packed_like_all(monkeypatch):
    codes = draw_codes(3, 11)
    whole = PackedCodes.pack(codes)
    monkeypatch.setattr(codes_module, "ENTRIES_AT_ONCE", 14)
    parts = PackedCodes.pack(codes)
    for name in ("counts", "atoms", "values"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
