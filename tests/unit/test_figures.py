"""The figures: what they show, what they refuse, and that they are the same at each drawing."""

import os
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from figure_tables import LEVELS, SWEEPS, lines_of, make_table, words
from sae_surgery import figures
from sae_surgery.drawing import style
from sae_surgery.drawing.sweep import draw_sweep, is_geometric, short_number
from sae_surgery.errors import SurgeryError
from sae_surgery.figures.scaling import _apart
from sae_surgery.tables.summary import PUBLISHED

ALL = pytest.mark.parametrize("name", figures.available())


def draw(experiment, table):
    return figures.load(experiment).draw({experiment: table})


@pytest.fixture(scope="module")
def latents():
    """Give a table and its drawings, to look at only."""
    table = make_table("latents")
    return table, draw("latents", table)


def drawn_line(axis, method, table):
    """Return the one line of `method`."""
    (line,) = lines_of(axis, method, table)
    return line


def heights(line):
    return np.asarray(line.get_ydata(), float)


def test_figures_are_found_without_drawing_anything():
    code = (
        "import sys; from sae_surgery import figures;"
        "print(*figures.available(), *figures.inputs('latents'));"
        "sys.exit('matplotlib' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    assert shown.stdout.split() == [
        *sorted(path.stem for path in figures.FOLDER.glob("[!_]*.py")),
        "latents",
    ]


@pytest.mark.parametrize("call", [figures.load, figures.inputs])
@pytest.mark.parametrize("name", ["nonsense", "style"])
def test_an_unknown_figure_is_refused_with_the_known_ones(call, name):
    with pytest.raises(SurgeryError, match=f"'{name}' is unknown; there are audit, "):
        call(name)


@pytest.mark.filterwarnings("error")
@ALL
def test_every_figure_keeps_the_contract(name, tmp_path):
    figure = figures.load(name)
    tables = {experiment: make_table(experiment) for experiment in figures.inputs(name)}
    assert figures.inputs(name) == figure.INPUTS
    assert "?" in figure.QUESTION
    drawings = figure.draw(tables)
    assert list(drawings) == [name, f"{name}_all"]
    for stem, drawing in drawings.items():
        style.save(drawing, [tmp_path / f"{stem}.png"])
        with Image.open(tmp_path / f"{stem}.png") as image:
            assert image.width == round(style.TEXT_WIDTH * 300)
    assert list(figure.numbers(tables))[:3] == ["method", "title", "family"]


@ALL
def test_a_figure_without_its_table_says_which(name):
    first = figures.inputs(name)[0]
    with pytest.raises(SurgeryError, match=f"needs the table '{first}', got: other"):
        figures.load(name).draw({"other": make_table("latents")})


@pytest.mark.parametrize("lacking", ["auc_ood", "title", "family", "n_latents"])
def test_a_lacking_variable_is_named(lacking):
    table = make_table("latents").drop_vars(lacking)
    with pytest.raises(SurgeryError, match=f"no variable {lacking}"):
        draw("latents", table)


def test_a_phase_transition_needs_the_observation_dimension():
    with pytest.raises(SurgeryError, match="no variable obs_dim"):
        draw("phase_transition", make_table("phase_transition").drop_vars("obs_dim"))


def test_a_sweep_over_something_else_is_refused():
    table = make_table("latents").expand_dims(k=[5, 10])
    with pytest.raises(SurgeryError, match=r"mcc_id must be over .*'n_latents'.*, is over .*'k'"):
        draw("latents", table)


def test_numbers_are_those_of_the_table(tmp_path):
    table = make_table("sparsity")
    table["auc_ood"][dict(method=0, k=1, seed=2)] = np.nan
    table["mcc_id"][dict(method=1, k=0)] = np.nan
    figures.load("sparsity").numbers({"sparsity": table}).to_csv(tmp_path / "s.csv", index=False)
    rows = pd.read_csv(tmp_path / "s.csv")
    assert len(rows) == len(LEVELS) * 6 * len(PUBLISHED)
    assert list(rows.columns[3:]) == ["k", "metric", "mean", "sd", "min", "max", "n_seeds"]
    for row in rows.itertuples():
        values = table[row.metric].sel({"method": row.method, "k": row.k}).values
        values = values[np.isfinite(values)]
        assert row.n_seeds == len(values)
        if len(values):
            expected = values.mean(), values.std(), values.min(), values.max()
            np.testing.assert_allclose(
                (row.mean, row.sd, row.min, row.max), expected, rtol=1e-13, atol=1e-16
            )
        else:
            assert np.isnan([row.mean, row.sd, row.min, row.max]).all()
    partial = rows.query("method == 'sae_relu' and k == 5 and metric == 'auc_ood'")
    assert partial["n_seeds"].item() == 2


@pytest.mark.filterwarnings("error")
def test_what_did_not_run_is_a_gap_and_never_zero(tmp_path):
    table = make_table("sparsity")
    for metric in PUBLISHED:
        table[metric][dict(method=table.get_index("method").get_loc("sae_mp"))] = np.nan
        table[metric][dict(method=table.get_index("method").get_loc("pca"), k=2)] = np.nan
    figure = draw("sparsity", table)["sparsity"]
    style.save(figure, [tmp_path / "sparsity.pdf"])
    for axis in figure.axes:
        assert all(np.isnan(heights(line)).all() for line in lines_of(axis, "sae_mp", table))
        gap = np.isnan(heights(drawn_line(axis, "pca", table)))
        assert gap.tolist() == [False, False, True, False, False, False]
    assert "SAE (MP) (no result)" in words(figure)
    assert "PCA" in words(figure)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("methods", [("random_dictionary",), ("fista_oracle",)])
def test_a_single_method_at_a_single_value_draws(methods, tmp_path):
    table = make_table("latents", methods, seeds=1).isel(n_latents=[0])
    style.save(draw("latents", table)["latents"], [tmp_path / "latents.png"])


@pytest.mark.filterwarnings("error")
def test_a_table_without_any_value_draws():
    table = make_table("latents") * np.nan
    table["n_latents"].attrs["long_name"] = "number of latents"
    draw("latents", table)


def test_chance_is_a_band_of_its_spread_and_no_line(latents):
    table, drawings = latents
    axis = drawings["latents"].axes[0]
    assert sum(line.get_marker() != "None" for line in axis.lines) == len(LEVELS) - 1
    (band,) = (c for c in axis.collections if isinstance(c, PolyCollection))
    vertices = band.get_paths()[0].vertices
    chance = table["mcc_id"].sel({"method": "random_dictionary"})
    low, high = chance.mean("seed") - chance.std("seed"), chance.mean("seed") + chance.std("seed")
    for n, bottom, top in zip([50, 100], low.values, high.values, strict=True):
        edges = vertices[np.isclose(vertices[:, 0], n), 1]
        assert np.allclose([edges.min(), edges.max()], [bottom, top])
    assert np.allclose([vertices[:, 0].min(), vertices[:, 0].max()], axis.get_xlim())


def test_lines_stand_at_the_means_in_one_order_at_each_value(latents):
    table, drawings = latents
    axis = drawings["latents"].axes[0]
    oracle = drawn_line(axis, "fista_oracle", table)
    probe = drawn_line(axis, "linear_probe", table)
    means = table["mcc_id"].sel({"method": "fista_oracle"}).mean("seed")
    np.testing.assert_allclose(heights(oracle), means)
    assert (np.asarray(oracle.get_xdata()) < np.asarray(probe.get_xdata())).all()
    midpoint = np.sqrt(50 * 100)
    assert probe.get_xdata()[0] < midpoint < oracle.get_xdata()[1]


@pytest.mark.parametrize("experiment", ["latents", "samples", "sparsity"])
def test_ticks_are_the_values_of_the_sweep(experiment):
    ((name, values),) = SWEEPS[experiment].items()
    figure = draw(experiment, make_table(experiment))[f"{experiment}_all"]
    for axis in figure.axes:
        assert axis.get_xscale() == "log"
        assert axis.get_xticks().tolist() == values
        assert len(axis.get_xticks(minor=True)) == 0
    assert figure.subfigs[0].get_supxlabel() == f"Number {name}"


@pytest.mark.parametrize(
    ("values", "geometric"),
    [
        ([50, 100], True),
        ([2, 5, 10, 20, 50, 100], True),
        ([100, 200, 400], True),
        ([1, 2, 3, 20], True),
        ([5, 10, 15], False),
        ([5, 10, 15, 20, 25], False),
        ([0, 1, 10, 100], False),
        ([50], False),
    ],
)
def test_geometric_sweeps_are_recognised(values, geometric):
    assert is_geometric(np.array(values, float)) is geometric


@pytest.mark.parametrize(
    ("value", "text"),
    [(50, "50"), (999, "999"), (1000, "1k"), (1500, "1.5k"), (1108, "1108"), (1e6, "1M")],
)
def test_short_numbers_lose_nothing(value, text):
    assert short_number(value) == text


@pytest.mark.parametrize(("lowest", "bottom"), [(0.8, 0.5), (0.47, 0.4), (0.05, 0.0)])
def test_the_axis_holds_all_bars_alike_in_and_out_of_distribution(lowest, bottom):
    table = make_table("latents", ("fista_oracle", "dl_fista"))
    table["auc_ood"][dict(method=1)] = lowest
    axes = draw("latents", table)["latents_all"].axes
    limits = {axis.get_title("left"): axis.get_ylim() for axis in axes}
    assert limits["(e) AUC, in distribution"] == limits["(f) AUC, out of distribution"]
    assert limits["(f) AUC, out of distribution"][0] == pytest.approx(bottom, abs=0.05)
    assert limits["(f) AUC, out of distribution"][0] < lowest
    assert limits["(a) MCC, in distribution"][0] == pytest.approx(0, abs=0.05)


def test_an_unknown_method_looks_like_its_family_and_like_no_other():
    families = {name: family for name, (_, family, _) in LEVELS.items()} | {"sae_other": "sae"}
    looks = style.looks(families)
    for mine in ("sae_mine", "sae_other"):
        assert looks[mine].dashes == looks["sae_relu"].dashes
        assert looks[mine].color in style.FAMILIES["sae"].shades
    assert len(set(looks.values())) == len(looks)


def test_many_models_of_a_family_look_different():
    families = dict.fromkeys(["sae_relu", *(f"relu_{number}" for number in range(28))], "sae")
    assert len(set(style.looks(families).values())) == len(families)


def test_a_method_looks_the_same_whatever_else_is_drawn():
    families = {name: family for name, (_, family, _) in LEVELS.items()}
    alone = style.looks({"sae_mp": "sae"})["sae_mp"]
    assert style.looks(families)["sae_mp"] == alone


def test_an_unknown_family_is_refused():
    with pytest.raises(SurgeryError, match=r"'mine' has family 'magic'; allowed: oracle, "):
        style.looks({"mine": "magic"})


def test_families_differ_in_marks_and_members_in_lightness():
    families = [family for key, family in style.FAMILIES.items() if key != "chance"]
    markers = [marker for family in families for marker in family.markers]
    assert len(set(markers)) == len(markers)
    for family in families:
        lightness = [np.dot(to_rgb(shade), (0.299, 0.587, 0.114)) for shade in family.shades]
        assert (np.diff(lightness) > 0.1).all()
        assert lightness[-1] < float(style.BAND_COLOUR) - 0.1


DRAW_AND_SAVE = """
import sys, xarray
from sae_surgery import figures
from sae_surgery.drawing import style
_, table, *paths = sys.argv
style.save(figures.load("latents").draw({"latents": xarray.load_dataset(table)})["latents"], paths)
"""


def test_bytes_are_the_same_at_each_drawing_whatever_the_users_settings(tmp_path, latents):
    table, drawings = latents
    table.to_netcdf(tmp_path / "table.nc")
    (tmp_path / "matplotlibrc").write_text(
        "font.size: 20\nlines.linewidth: 9\nsavefig.dpi: 50\n", encoding="utf-8"
    )
    here, there = (
        [tmp_path / f"{place}.{end}" for end in ("pdf", "png", "svg")]
        for place in ("here", "there")
    )
    style.save(drawings["latents"], here)
    subprocess.run(
        [sys.executable, "-c", DRAW_AND_SAVE, tmp_path / "table.nc", *there],
        env=os.environ | {"MATPLOTLIBRC": str(tmp_path), "TZ": "Asia/Tokyo"},
        check=True,
    )
    for one, other in zip(here, there, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.suffix
        assert one.stat().st_size > 10_000


def test_noise_of_the_layout_does_not_reach_what_is_saved(tmp_path):
    saved = []
    for noise in (0.0, 3e-9):
        figure = draw("latents", make_table("latents"))["latents"]
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for axis in figure.axes:
            axis.set_position(np.array(axis.get_position().bounds) + noise)
        path = tmp_path / f"{noise}.pdf"
        style.save(figure, [path])
        saved.append(path.read_bytes())
    assert saved[0] == saved[1]


def test_fonts_are_embedded_as_outlines_and_drawing_leaves_no_trace(tmp_path):
    before = dict(mpl.rcParams)
    figure = draw_sweep(make_table("latents"), "n_latents", ("mcc_id",))
    style.save(figure, [tmp_path / "latents.pdf"])
    content = (tmp_path / "latents.pdf").read_bytes()
    assert b"/CIDFontType2" in content
    assert b"/Type3" not in content
    assert b"/Subtype /Image" not in content
    assert dict(mpl.rcParams) == before
    assert os.listdir(tmp_path) == ["latents.pdf"]


def test_a_failed_save_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    class Unfinished(Figure):
        def savefig(self, path, metadata):
            path.write_bytes(b"half a")
            raise OSError("disk full")

    (tmp_path / "latents.png").write_bytes(b"old")
    with pytest.raises(SurgeryError, match="disk full"):
        style.save(Unfinished(), [tmp_path / "latents.png"])
    assert (tmp_path / "latents.png").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["latents.png"]


def test_another_format_is_refused(tmp_path, latents):
    with pytest.raises(ValueError, match=r"latents\.tiff: allowed are \.pdf, \.png, \.svg"):
        style.save(latents[1]["latents"], [tmp_path / "latents.tiff"])


def test_a_phase_transition_shows_each_cell_once():
    table = make_table("phase_transition")
    rows = figures.load("phase_transition").numbers({"phase_transition": table})
    cells = rows[["n_latents", "k", "obs_dim"]].drop_duplicates()
    assert (rows["obs_dim"] > 0).all()
    assert len(rows) == len(cells) * len(LEVELS) * len(PUBLISHED)
    # n = 50, k = 10 is capped at m = 50 once; n = 50, k = 3 lacks its first cell.
    expected = {tuple(map(int, (n, k, m))) for (n, k), dims in capped(table) for m in dims if m}
    assert set(cells.itertuples(index=False, name=None)) == expected


def capped(table):
    for n in table["n_latents"].values:
        for k in table["k"].values:
            yield (n, k), table["obs_dim"].sel(n_latents=n, k=k).values


def test_a_phase_transition_leaves_out_what_did_not_run():
    table = make_table("phase_transition")
    methods = list(table["method"].values)
    for metric in PUBLISHED:
        table[metric][dict(method=methods.index("sae_mp"), n_latents=1)] = np.nan
        table[metric][dict(k=1, obs_dim_factor=0)] = np.nan
    drawings = draw("phase_transition", table)
    mesh = drawings["phase_transition_all"].axes[0].collections[0]
    order = list(style.looks(table["family"].to_series().to_dict()))
    missing = np.ma.getmaskarray(mesh.get_array())
    assert missing.any(axis=1).tolist() == [method == "sae_mp" for method in order]
    assert not missing.all(axis=0).any()
    lines = [lines_of(axis, "sae_mp", table) for axis in drawings["phase_transition"].axes]
    empty = [not any(np.isfinite(heights(line)).any() for line in each) for each in lines]
    assert empty == [False, True, False, True]


def maps_of(table):
    """Return the panels of the map of scaling, by title."""
    figure = draw("scaling", table)["scaling"]
    return {axis.get_title(loc="left"): axis for axis in figure.axes if axis.get_title(loc="left")}


def test_scaling_has_a_map_for_each_coder_and_one_for_the_best_sae_of_each_cell():
    table = make_table("scaling", ("dl_fista", "sae_relu", "sae_topk", "random_dictionary"))
    name = "dictionary_mean_cosine"
    table[name].loc[{"method": "sae_relu"}] = 0.25
    table[name].loc[{"method": "sae_topk"}] = [[[0.1] * 3, [0.5] * 3, [np.nan] * 3]] * 2
    maps = maps_of(table)
    assert list(maps) == ["DL-FISTA", "Best SAE"]
    shown = [text.get_text() for text in maps["Best SAE"].texts]
    assert shown == ["0.25", "0.50", "0.25"] * 2


def test_a_cell_that_was_left_out_is_empty_in_its_map():
    table = make_table("scaling", ("dl_fista", "sae_topk"))
    for values in table.data_vars.values():
        if "method" in values.dims:
            values.loc[{"method": "dl_fista", "n_latents": 500}] = np.nan
    mesh = maps_of(table)["DL-FISTA"].collections[0]
    assert np.ma.getmaskarray(mesh.get_array()).tolist() == [[True] * 3, [False] * 3]


def test_labels_without_room_between_them_are_left_out():
    assert _apart(np.array([1, 2, 2.5, 5, 10])) == [1, 2, 5, 10]


def test_the_bound_stands_between_cells_and_through_no_number():
    axis = maps_of(make_table("scaling", ("dl_fista", "random_dictionary")))["DL-FISTA"]
    # A bound of 1.2 samples lies between the first column, of 1, and the second, of 2.5.
    for line in axis.lines:
        assert np.unique(line.get_xdata()).tolist() == [1]
        assert [min(line.get_ydata()), max(line.get_ydata())] == [0, 2]
    assert {text.get_position()[0] for text in axis.texts} == {0.5, 1.5, 2.5}


def test_what_is_drawn_are_the_mean_and_the_spread_of_the_numbers(latents):
    table, drawings = latents
    rows = figures.load("latents").numbers({"latents": table})
    for metric, axis in zip(("mcc_id", "auc_ood"), drawings["latents"].axes, strict=True):
        rows_drawn = rows[(rows["metric"] == metric) & (rows["method"] == "sae_topk")]
        line = drawn_line(axis, "sae_topk", table)
        np.testing.assert_allclose(heights(line), rows_drawn["mean"], rtol=1e-14)
        bars = [each for each in axis.lines if len(set(each.get_xdata())) == 1]
        ends = [each.get_ydata() for each in bars if each.get_xdata()[0] in line.get_xdata()]
        expected = [[row.mean - row.sd, row.mean + row.sd] for row in rows_drawn.itertuples()]
        np.testing.assert_allclose(ends, expected, rtol=1e-14)


def test_a_method_at_one_value_alone_says_where():
    table = make_table("sparsity")
    others = [k for k in table["k"].values if k != 10]
    for metric in PUBLISHED:
        table[metric].loc[{"method": "softplus_adam", "k": others}] = np.nan
    assert "Softplus-Adam (only at 10)" in words(draw("sparsity", table)["sparsity"])


def test_a_sweep_answers_its_question_from_the_table():
    table = make_table("latents")
    known = {"fista_oracle": [0.95, 0.97], "dl_fista": [0.93, 0.6], "sae_mine": [0.75, 0.8]}
    for method, values in known.items():
        table["mcc_id"].loc[{"method": method}] = np.array(values)[:, None]
    shown = words(draw("latents", table)["latents"])
    assert "the oracle at all values; sparse coding at n = 50; an SAE nowhere." in shown
    assert "The best SAE: 0.75 at n = 50, 0.80 at n = 100." in shown
    assert "falls below chance" not in shown
    table["mcc_id"].loc[{"method": "fista_oracle", "n_latents": 100}] = 0.1
    shown = words(draw("latents", table)["latents"])
    assert (
        "FISTA (oracle) is given the true dictionary, yet falls below chance at n = 100." in shown
    )
