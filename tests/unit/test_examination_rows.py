"""Rows of a user's files: drawn, split, looked through, and refused in one line."""

import numpy as np
import pytest

from sae_surgery.errors import SurgeryError
from sae_surgery.files.rows import chosen, draw_rows, read_labels, read_rows, write_rows
from sae_surgery.files.store import Origin
from sae_surgery.problems._matrices import open_matrix


@pytest.fixture
def acts(tmp_path):
    path = tmp_path / "acts.npy"
    np.save(path, np.random.default_rng(0).normal(size=(200, 6)).astype(np.float16))
    return path


def draw(path, ood=None, labels=None, samples=100, held_out=0.25, seed=0):
    return draw_rows(path, ood, labels, samples, held_out, seed)


def test_rows_are_drawn_once_each_and_split(acts):
    rows = draw(acts)
    assert (rows.of("learn").sum(), rows.of("held_out").sum()) == (75, 25)
    assert len(set(rows.row)) == 100
    assert (rows.observations == np.load(acts).astype(np.float32)[rows.row]).all()
    assert (draw(acts).row == rows.row).all()
    assert (draw(acts, seed=1).row != rows.row).any()


def test_a_file_with_fewer_rows_gives_all_of_them(acts):
    assert sorted(draw(acts, samples=1000).row) == list(range(200))


def test_few_rows_of_many_are_drawn_without_holding_all_numbers(acts):
    matrix = open_matrix(acts)
    numbers = chosen(matrix, 150, 0, 1)
    assert len(set(numbers)) == 150 and numbers.max() < 200
    assert (np.diff(numbers) < 0).any()


def test_repetitions_across_the_split_are_found(tmp_path):
    path = tmp_path / "acts.npy"
    np.save(path, np.repeat(np.eye(20), 10, axis=0))
    rows = draw(path, samples=200)
    assert rows.n_repeated == 180
    assert rows.seen[rows.of("held_out")].mean() > 0.9
    assert not rows.seen[rows.of("learn")].any()


def test_rows_out_of_distribution_are_as_many_as_are_held_out(acts, tmp_path):
    other = tmp_path / "other.npy"
    np.save(other, np.ones((40, 6)))
    rows = draw(acts, ood=other)
    assert rows.of("ood").sum() == 25
    assert (rows.observations[rows.of("ood")] == 1).all()


def test_classes_become_labels_and_rows_keep_theirs(acts, tmp_path):
    path = tmp_path / "labels.npy"
    letters = np.array(list("abcd") * 50)
    np.save(path, letters)
    rows = draw(acts, labels=path)
    assert rows.classes == ("a", "b", "c", "d")
    assert (np.array(rows.classes)[rows.labels.argmax(axis=1)] == letters[rows.row]).all()


def test_labels_may_overlap(tmp_path):
    path = tmp_path / "labels.npy"
    given = np.random.default_rng(0).integers(0, 2, (30, 3))
    np.save(path, given)
    labels, names, number = read_labels(path, 30)
    assert (labels == given).all() and names == ("0", "1", "2") and number == 3


def test_rows_come_back_from_their_file(acts, tmp_path):
    labels = tmp_path / "labels.npy"
    np.save(labels, np.arange(200) % 3)
    rows = draw(acts, labels=labels)
    write_rows(tmp_path / "rows.nc", rows, Origin("rows"))
    back = read_rows(tmp_path / "rows.nc")
    for name in ("observations", "row", "split", "seen", "labels"):
        assert (getattr(back, name) == getattr(rows, name)).all()
    assert (back.classes, back.n_rows, back.n_repeated) == (rows.classes, 200, 0)


@pytest.mark.parametrize(
    ("name", "array", "complaint"),
    [
        ("short", np.zeros(3), "200 labels are needed, one a row, got 3"),
        ("floats", np.linspace(0, 1, 200), "classes are numbers or texts"),
        ("others", np.full((200, 2), 3), "other values than 0 and 1"),
        ("cube", np.zeros((200, 2, 2)), "cannot be read as labels"),
    ],
)
def test_labels_of_another_kind_are_refused(acts, tmp_path, name, array, complaint):
    path = tmp_path / f"{name}.npy"
    np.save(path, array)
    with pytest.raises(SurgeryError, match=complaint) as error:
        draw(acts, labels=path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_pickled_labels_are_not_loaded(acts, tmp_path):
    path = tmp_path / "labels.npy"
    np.save(path, np.array([{}] * 200), allow_pickle=True)
    with pytest.raises(SurgeryError, match="cannot be read as labels"):
        draw(acts, labels=path)


def test_activations_that_do_not_go_together_are_refused(acts, tmp_path):
    other = tmp_path / "other.npy"
    np.save(other, np.ones((40, 7)))
    with pytest.raises(SurgeryError, match="7 wide"):
        draw(acts, ood=other)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.ones((5, 4)), "5 rows are too few"),
        (np.ones((50, 4)), "all rows that were drawn are equal"),
        (np.where(np.arange(200).reshape(50, 4) == 99, np.nan, 1.0), "not finite"),
    ],
)
def test_activations_that_say_nothing_are_refused(tmp_path, array, complaint):
    path = tmp_path / "acts.npy"
    np.save(path, array)
    with pytest.raises(SurgeryError, match=complaint):
        draw(path)
