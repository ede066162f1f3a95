"""Rows of a user's activations that an SAE is examined on: drawn, split, and looked through."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sae_surgery.errors import SurgeryError
from sae_surgery.examination import HELD_OUT, LEARN, OOD
from sae_surgery.files import store
from sae_surgery.files.store import Origin, Variable
from sae_surgery.problems._matrices import Matrix, open_matrix

MOST_LABELS = 256
"""Labels that are kept, the most frequent ones."""
ROWS_STREAM, COUNTED_STREAM = 41, 43
LEAST_ROWS = 20


@dataclass(frozen=True)
class Rows:
    """Rows in the order learn, held_out, ood."""

    observations: np.ndarray
    """As they stand in the files (sample, obs), float32."""
    row: np.ndarray
    """Number of each row in its file, (sample,)."""
    split: np.ndarray
    """Split of each, (sample,), texts."""
    seen: np.ndarray
    """Whether a row equals one of `learn`, (sample,); false for those themselves."""
    n_rows: int
    """Rows of the file of activations."""
    n_repeated: int
    """Rows drawn from it that equal one drawn before them."""
    labels: np.ndarray | None = None
    """(sample, class), boolean; false for rows out of distribution."""
    classes: tuple[str, ...] = ()
    n_classes: int = 0
    """Labels that the file holds; those beyond `MOST_LABELS` are left out."""
    digest: str = ""

    def of(self, split: str) -> np.ndarray:
        """Return which samples are of a split, (sample,)."""
        return self.split == split


def draw_rows(
    activations: Path,
    ood: Path | None,
    labels: Path | None,
    samples: int,
    held_out: float,
    seed: int,
) -> Rows:
    """Draw rows at random, without replacement; all of them where the file has no more.

    Half as many as are held out are drawn from `ood`.

    Raises
    ------
    SurgeryError
        If a file is missing or unfit, the widths differ, there are too few rows, or labels do not
        go with the activations.
    """
    matrix = open_matrix(activations)
    further = open_matrix(ood) if ood else None
    if further is not None and further.width != matrix.width:
        raise SurgeryError(
            f"{ood}: is {further.width} wide, and {activations} {matrix.width}; both must be "
            "activations of the same place of the same model"
        )
    if matrix.n_rows < LEAST_ROWS:
        raise SurgeryError(
            f"{activations}: {matrix.n_rows} rows are too few; at least {LEAST_ROWS} are needed"
        )
    known = read_labels(labels, matrix.n_rows) if labels else None
    row = chosen(matrix, samples, seed, ROWS_STREAM)
    n_held_out = min(max(1, round(held_out * len(row))), len(row) - 1)
    n_learn = len(row) - n_held_out
    parts, numbers = [matrix.take(row)], [row]
    n_ood = 0
    if further is not None:
        numbers.append(chosen(further, n_held_out, seed, ROWS_STREAM))
        parts.append(further.take(numbers[-1]))
        n_ood = len(numbers[-1])
    observations = np.concatenate(parts)
    if not np.ptp(observations[:n_learn], axis=0).any():
        raise SurgeryError(f"{activations}: all rows that were drawn are equal")
    seen, n_repeated = _repetitions(observations, n_learn, len(row))
    found = None
    if known is not None:
        none = np.zeros((n_ood, known[0].shape[1]), dtype=bool)
        found = np.concatenate([known[0][row], none])
    return Rows(
        observations=observations,
        row=np.concatenate(numbers),
        split=np.repeat([LEARN, HELD_OUT, OOD], [n_learn, n_held_out, n_ood]),
        seen=seen,
        n_rows=matrix.n_rows,
        n_repeated=n_repeated,
        labels=found,
        classes=known[1] if known else (),
        n_classes=known[2] if known else 0,
    )


def chosen(matrix: Matrix, size: int, seed: int, stream: int) -> np.ndarray:
    """Return the numbers of rows drawn at random, in random order; of all if there are no more."""
    drawn = np.random.default_rng([stream, seed])
    if matrix.n_rows <= size:
        return drawn.permutation(matrix.n_rows)
    # `choice` without replacement would hold all numbers of a large file.
    found = np.unique(drawn.integers(matrix.n_rows, size=size))
    while len(found) < size:
        more = drawn.integers(matrix.n_rows, size=size - len(found))
        found = np.unique(np.concatenate([found, more]))
    return drawn.permutation(found)


def read_labels(path: Path, n_rows: int) -> tuple[np.ndarray, tuple[str, ...], int]:
    """Read labels: a class a row, number or text, or 0 and 1 of (row, label).

    Returns
    -------
    Labels (row, class), boolean, of the most frequent classes; their names; how many there are.

    Raises
    ------
    SurgeryError
        If the file is missing, damaged, holds anything else, or labels of other rows.
    """
    allowed = "a .npy file of a class for each row, or of 0 and 1 (row, label), is needed"
    if not path.is_file():
        raise SurgeryError(f"{path}: there is no such file; {allowed}")
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SurgeryError(f"{path}: cannot be read as labels; {allowed}") from error
    if not isinstance(found, np.ndarray) or found.ndim not in (1, 2):
        raise SurgeryError(f"{path}: cannot be read as labels; {allowed}")
    if len(found) != n_rows:
        raise SurgeryError(f"{path}: {n_rows} labels are needed, one a row, got {len(found)}")
    if found.ndim == 1:
        if found.dtype.kind not in "biuUS":
            raise SurgeryError(f"{path}: classes are numbers or texts, got {found.dtype}")
        names, places, counts = np.unique(found, return_inverse=True, return_counts=True)
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_LABELS])
        return places[:, None] == kept, tuple(_text(names[each]) for each in kept), len(names)
    if not np.isin(found, (0, 1)).all():
        raise SurgeryError(f"{path}: holds other values than 0 and 1; {allowed}")
    counts = found.sum(axis=0)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_LABELS])
    return found[:, kept].astype(bool), tuple(map(str, kept)), found.shape[1]


def _text(name: np.generic) -> str:
    return name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)


def _repetitions(observations: np.ndarray, n_learn: int, n_drawn: int) -> tuple[np.ndarray, int]:
    """Return which rows equal one to learn from, and how many in all equal one before them."""
    contents = [row.tobytes() for row in observations]
    learned = set(contents[:n_learn])
    seen = [content in learned for content in contents[n_learn:]]
    return np.array([False] * n_learn + seen), n_drawn - len(set(contents[:n_drawn]))


def write_rows(path: Path, rows: Rows, origin: Origin) -> None:
    """Write a file of rows."""
    store.write(
        path,
        "rows",
        _variables(rows),
        origin,
        n_rows=rows.n_rows,
        n_repeated=rows.n_repeated,
        n_classes=rows.n_classes,
    )


def read_rows(path: Path) -> Rows:
    """Read a file of rows.

    Raises
    ------
    StoreError
        If it is missing, damaged, or of another kind.
    """
    file = store.read(path, "rows")
    labelled = "label" in file
    return Rows(
        observations=file["observations"].values,
        row=file["row"].values,
        split=file["split"].values.astype(str),
        seen=file["seen"].values.astype(bool),
        n_rows=int(file.attrs["n_rows"]),
        n_repeated=int(file.attrs["n_repeated"]),
        labels=file["label"].values.astype(bool) if labelled else None,
        classes=tuple(file["class"].values.astype(str)) if labelled else (),
        n_classes=int(file.attrs["n_classes"]),
        digest=file.attrs["digest"],
    )


def _variables(rows: Rows) -> Iterator[tuple[str, Variable]]:
    dims = ("sample", "obs")
    yield "observations", Variable(dims, rows.observations, "activations as they were given")
    yield "row", Variable(("sample",), rows.row.astype(np.int64), "number of the row in its file")
    yield "split", Variable(("sample",), rows.split, "split that the sample belongs to", None)
    seen = "1 where a row equals one that is learned from"
    yield "seen", Variable(("sample",), rows.seen.astype(np.int8), seen)
    if rows.labels is not None:
        names = np.array(rows.classes, dtype=object)
        yield "class", Variable(("class",), names, "name of the label", None)
        labels = rows.labels.astype(np.int8)
        yield "label", Variable(("sample", "class"), labels, "1 where the row has the label")
