"""Users' activations: every format that is read, and what is refused, in a line that names it."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sae_surgery import problems
from sae_surgery.errors import SurgeryError
from sae_surgery.problems._matrices import open_matrix, read_labels

VALUES = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
TENSOR = torch.from_numpy(VALUES)


def save(folder, name, values=VALUES):
    """Save values in the format that the name ends with."""
    path = folder / name
    match path.suffix:
        case ".npy":
            np.save(path, values)
        case ".npz":
            np.savez(path, activations=values)
        case ".safetensors":
            held = {"activations": torch.as_tensor(values), "step": torch.tensor([3])}
            save_file(held, path)
        case ".pt" | ".pth":
            torch.save(torch.as_tensor(values), path)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.pt", "a.pth"])
def test_all_formats_give_the_same_rows(tmp_path, name):
    matrix = open_matrix(save(tmp_path, name))
    assert (matrix.n_rows, matrix.width) == VALUES.shape
    rows = np.array([7, 0, 29, 7])
    np.testing.assert_array_equal(matrix.take(rows), VALUES[rows])


@pytest.mark.parametrize("name", ["a.npy", "a.safetensors", "a.pt"])
def test_half_precision_is_read_as_float32(tmp_path, name):
    halved = VALUES.astype(np.float16)
    taken = open_matrix(save(tmp_path, name, halved)).take(np.arange(30))
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, halved.astype(np.float32))


def test_bfloat16_is_read(tmp_path):
    save_file({"x": TENSOR.bfloat16()}, tmp_path / "a.safetensors")
    taken = open_matrix(tmp_path / "a.safetensors").take(np.arange(30))
    np.testing.assert_array_equal(taken, TENSOR.bfloat16().float().numpy())


def test_further_dimensions_are_rows(tmp_path):
    path = save(tmp_path, "a.npy", VALUES.reshape(5, 6, 4))
    np.testing.assert_array_equal(open_matrix(path).take(np.arange(30)), VALUES)


def test_a_folder_is_its_files_in_order_of_names(tmp_path):
    save(tmp_path, "b.npy", VALUES[20:])
    save(tmp_path, "a.pt", VALUES[:20])
    (tmp_path / "notes.txt").write_text("of no matter", encoding="utf-8")
    matrix = open_matrix(tmp_path)
    rows = np.array([25, 3, 19, 20])
    np.testing.assert_array_equal(matrix.take(rows), VALUES[rows])


def test_a_value_that_is_not_finite_is_named_by_its_row(tmp_path):
    spoilt = VALUES.copy()
    spoilt[11, 2] = np.nan
    matrix = open_matrix(save(tmp_path, "a.npy", spoilt))
    matrix.take(np.arange(11))
    with pytest.raises(SurgeryError, match=r"a\.npy: row 11 .* not finite"):
        matrix.take(np.arange(30))


def empty(folder):
    return save(folder, "a.npy", VALUES[:0])


def one_dimension(folder):
    return save(folder, "a.npy", VALUES[0])


def words(folder):
    return save(folder, "a.npy", np.array([["a", "b"]]))


def objects(folder):
    np.save(folder / "a.npy", np.array([[1, None]], object), allow_pickle=True)
    return folder / "a.npy"


def cut(folder):
    path = save(folder, "a.safetensors")
    path.write_bytes(path.read_bytes()[:40])
    return path


def several(folder):
    np.savez(folder / "a.npz", one=VALUES, two=VALUES)
    return folder / "a.npz"


def pickled(folder):
    torch.save(torch.nn.Linear(4, 4), folder / "a.pt")
    return folder / "a.pt"


def another_pickle(folder):
    (folder / "a.pt").write_bytes(pickle.dumps(Fraction(1, 3)))
    return folder / "a.pt"


def unequal_widths(folder):
    save(folder, "a.npy")
    save(folder, "b.npy", VALUES[:, :3])
    return folder


def nothing_in_it(folder):
    return folder


def unknown(folder):
    (folder / "a.csv").write_text("1,2", encoding="utf-8")
    return folder / "a.csv"


def missing(folder):
    return folder / "a.npy"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (empty, "shape"),
        (one_dimension, "shape"),
        (words, "real numbers"),
        (objects, "not a readable .npy"),
        (cut, "not a readable .safetensors"),
        (several, "one matrix is needed"),
        (pickled, "not a readable .pt"),
        (another_pickle, "not a readable .pt"),
        (unequal_widths, "equally wide"),
        (nothing_in_it, "no file in it"),
        (unknown, "are read from"),
        (missing, "no such file"),
    ],
)
def test_what_is_no_matrix_is_refused_in_a_line_that_names_it(tmp_path, make, said):
    path = make(tmp_path)
    with pytest.raises(SurgeryError, match=said) as refused:
        open_matrix(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "labels", [np.array([0, 1, 2]), np.array([[0, 1], [1, 0]]), np.array([0.5])]
)
def test_labels_are_one_a_row_and_binary(tmp_path, labels):
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(SurgeryError, match="label"):
        read_labels(tmp_path / "labels.npy")


def test_activations_are_centred_and_scaled_by_what_is_learned_from(tmp_path):
    path = save(tmp_path, "a.npy", 5 + 3 * np.repeat(VALUES, 10, axis=0))
    problem = problems.kind("activations").at({"observations": str(path), "n_samples": 100})
    drawn = problem.draw(0)
    train = drawn.observations[:50]
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    assert (train**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-5)
    back = drawn.observations * drawn.scale + drawn.offset
    known = {tuple(np.round(row, 3)) for row in 5 + 3 * VALUES}
    assert {tuple(np.round(row, 3)) for row in back} <= known


def test_too_few_rows_are_named(tmp_path):
    path = save(tmp_path, "a.npy")
    problem = problems.kind("activations").at({"observations": str(path), "n_samples": 100})
    with pytest.raises(SurgeryError, match=r"100 rows are needed, it has 30"):
        problem.draw(0)
