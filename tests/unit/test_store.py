"""The file contract: whole or absent, checked on write and on read, byte-identical when remade."""

import json

import netCDF4
import numpy as np
import pytest

from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.store import Origin, Slices, StoreError, Variable

ORIGIN = Origin("A test", {"epochs": 3}, "abc", {"data": "d1g3st"})
VALUES = np.arange(6.0).reshape(2, 3)


def model_variables(values=VALUES, **options):
    return {"weights": Variable(("seed", "obs"), values, "weights of a test", **options)}.items()


def write_model(path, **options):
    store.write(path, "model", model_variables(**options), ORIGIN, cell="here")
    return path


def test_round_trip_keeps_values_and_origin(tmp_path):
    file = store.read(write_model(tmp_path / "model.nc"), "model", {"data": "d1g3st"})
    np.testing.assert_array_equal(file["weights"].values, VALUES)
    assert file["weights"].attrs == {"long_name": "weights of a test", "units": "1"}
    assert json.loads(file.attrs["settings"]) == {"epochs": 3}
    assert file.attrs["title"] == "A test"
    assert file.attrs["cell"] == "here"
    assert "torch" in json.loads(file.attrs["versions"])


def test_same_content_gives_same_bytes(tmp_path):
    first, second = write_model(tmp_path / "a.nc"), write_model(tmp_path / "b.nc")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 100])
def test_digests_do_not_depend_on_how_much_is_read_at_once(tmp_path, monkeypatch, at_once):
    whole = write_model(tmp_path / "whole.nc")
    monkeypatch.setattr(store, "AT_ONCE", at_once)
    assert write_model(tmp_path / "parts.nc").read_bytes() == whole.read_bytes()


def test_slices_are_written_like_the_whole_array(tmp_path):
    whole = write_model(tmp_path / "whole.nc")
    one_by_one = Slices((2, 3), VALUES.dtype, (VALUES[:1], VALUES[1:1], VALUES[1:]))
    sliced = write_model(tmp_path / "sliced.nc", values=one_by_one)
    assert whole.read_bytes() == sliced.read_bytes()


def test_text_survives(tmp_path):
    names = np.array(["relu", "größer"])
    variables = {
        "status": Variable(("method",), names, "status", None),
        "method": Variable(("method",), names, "method", None),
    }
    store.write(tmp_path / "m.nc", "metrics", variables.items(), ORIGIN)
    assert store.read(tmp_path / "m.nc", "metrics")["status"].values.tolist() == names.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_and_leave_nothing(tmp_path, bad):
    with pytest.raises(StoreError, match=r"model\.nc: 'weights' holds 1 values"):
        write_model(tmp_path / "model.nc", values=np.where(VALUES == 2, bad, VALUES))
    assert list(tmp_path.iterdir()) == []


def test_nan_is_allowed_where_it_is_explained_but_infinity_is_not(tmp_path):
    write_model(tmp_path / "a.nc", values=np.where(VALUES == 2, np.nan, VALUES), nan_means="absent")
    with pytest.raises(StoreError, match="not finite"):
        write_model(tmp_path / "b.nc", values=np.where(VALUES == 2, np.inf, VALUES), nan_means="no")


def test_a_failing_write_keeps_the_older_file(tmp_path):
    path = write_model(tmp_path / "model.nc")
    before = path.read_bytes()

    def slices():
        yield VALUES[0]
        raise OSError("disk full")

    with pytest.raises(SurgeryError, match=r"model\.nc: cannot be written: disk full"):
        write_model(path, values=Slices((2, 3), VALUES.dtype, slices()))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_missing_required_variable_is_named(tmp_path):
    with pytest.raises(StoreError, match="lacks the variable 'n_active'"):
        store.write(tmp_path / "codes.nc", "codes", model_variables(), ORIGIN)


def test_wrong_dimensions_are_named(tmp_path):
    variables = {"status": Variable(("seed",), np.array(["ok"]), "status", None)}
    with pytest.raises(StoreError, match="'status' has dimensions"):
        store.write(tmp_path / "m.nc", "metrics", variables.items(), ORIGIN)


def test_skipped_files_need_no_variables(tmp_path):
    origin = Origin("A test", status="skipped: too large")
    store.write(tmp_path / "codes.nc", "codes", [], origin)
    assert store.read(tmp_path / "codes.nc", "codes").attrs["status"] == "skipped: too large"


def test_absent_file_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"nowhere\.nc: there is no such file"):
        store.read(tmp_path / "nowhere.nc", "model")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_truncated_file_is_named_and_refused(tmp_path, share):
    path = write_model(tmp_path / "model.nc")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(StoreError, match=r"model\.nc"):
        store.read(path, "model")


def test_foreign_netcdf_file_is_refused(tmp_path):
    path = tmp_path / "foreign.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.title = "sea surface temperature"
    with pytest.raises(StoreError, match=r"foreign\.nc: holds nothing of ours"):
        store.read(path, "model")


def test_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"holds model, but a codes file is needed"):
        store.read(write_model(tmp_path / "model.nc"), "codes")


def test_changed_value_is_noticed(tmp_path):
    path = write_model(tmp_path / "model.nc")
    with netCDF4.Dataset(path, "a") as file:
        file["weights"][0, 0] = 1e-7
    with pytest.raises(StoreError, match="damaged"):
        store.read(path, "model")


def test_changed_attribute_is_noticed(tmp_path):
    path = write_model(tmp_path / "model.nc")
    with netCDF4.Dataset(path, "a") as file:
        file.settings = "{}"
    with pytest.raises(StoreError, match="damaged"):
        store.read(path, "model")


def test_file_made_from_other_inputs_is_stale(tmp_path):
    path = write_model(tmp_path / "model.nc")
    with pytest.raises(StoreError, match="stale or foreign; it was made from another data file"):
        store.read(path, "model", {"data": "another"})


def test_a_file_that_is_open_is_read_and_replaced_all_the_same(tmp_path):
    path = write_model(tmp_path / "model.nc")
    first, held = store.read(path, "model"), netCDF4.Dataset(path)
    write_model(path, values=VALUES + 1)
    np.testing.assert_array_equal(store.read(path, "model")["weights"].values, VALUES + 1)
    np.testing.assert_array_equal(first["weights"].values, VALUES)
    held.close()
    with netCDF4.Dataset(path, "a"):
        np.testing.assert_array_equal(store.read(path, "model")["weights"].values, VALUES + 1)


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(StoreError, match=f"^{tmp_path}: "):
        store.read(tmp_path, "model")
    with pytest.raises(StoreError, match=r"model\.nc: cannot be read: .*Not a directory"):
        store.read(write_model(tmp_path / "model.nc") / "model.nc", "model")


def test_names_with_spaces_and_umlauts_are_names(tmp_path):
    path = write_model(tmp_path / "ein Ordner/größer\nmodel.nc")
    np.testing.assert_array_equal(store.read(path, "model")["weights"].values, VALUES)
