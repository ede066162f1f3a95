"""The figures of the surgeries: what they answer, and that oracle and chance stay yardsticks."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from figure_tables import SURGERIES, lines_of, make_table, words
from sae_surgery import figures
from sae_surgery.drawing import style
from sae_surgery.errors import SurgeryError
from sae_surgery.tables.answers import at_sizes, decimals, first_step, last_known, over_saes

METHODS = ("sae_relu", "sae_topk", "sae_mp", "fista_oracle", "random_dictionary")
STEPS = {
    name: next(dim for dim in axes if dim not in ("condition", "n_latents"))
    for name, axes in SURGERIES.items()
    if len(axes) == 3
}


def flat_table(experiment, methods=METHODS):
    """Make a table whose variables are 0.2 for SAEs, 1 for the oracle and 0.1 for chance."""
    table = make_table(experiment, methods)
    level = {"sae": 0.2, "oracle": 1.0, "chance": 0.1, "sparse coding": 0.9}
    for values in table.data_vars.values():
        for method, family in zip(methods, table["family"].values, strict=True):
            values.loc[{"method": method}] = level[family]
    return table


def put(table, value, variable="mcc_ood", **place):
    """Set the SAEs' values at a place."""
    saes = table["method"].values[table["family"].values == "sae"]
    table[variable].loc[{"method": saes, **place}] = value


def draw(experiment, table):
    return figures.load(experiment).draw({experiment: table})


@pytest.mark.parametrize(("gain", "share"), [(0.4, "50 %"), (-0.2, "−25 %")])
def test_a_frozen_decoder_tells_how_much_of_the_gap_it_closes(gain, share):
    table = flat_table("frozen_decoder")
    put(table, 0.2 + gain, condition="frozen", n_latents=100)
    shown = words(draw("frozen_decoder", table)["frozen_decoder"])
    assert f"closes 0 % (0 to 0 %) at n = 50, {share} (" in shown
    assert "|cosine| to the true atoms is 0.20 at every n." in shown


def test_shares_come_with_their_range_over_saes():
    table = flat_table("frozen_decoder")
    table["mcc_ood"].loc[{"method": "sae_mp", "condition": "frozen", "n_latents": 50}] = 0.6
    table["mcc_ood"].loc[{"method": "sae_topk", "condition": "frozen", "n_latents": 50}] = 0.0
    shown = words(draw("frozen_decoder", table)["frozen_decoder"])
    assert "closes 0 % (−25 to 50 %) at n = 50, 0 % (0 to 0 %) at 100" in shown


def test_an_sae_at_the_oracle_has_no_gap_to_close():
    table = flat_table("frozen_decoder")
    put(table, 0.99, n_latents=50)
    shown = words(draw("frozen_decoder", table)["frozen_decoder"])
    assert "FISTA closes no result at n = 50, 0 % (0 to 0 %) at 100" in shown


def test_support_recovery_tells_what_the_best_values_gain():
    table = flat_table("support_recovery")
    put(table, 0.6, condition="nnls")
    put(table, 0.3, "support_f1_ood", condition="own", n_latents=100)
    shown = words(draw("support_recovery", table)["support_recovery"])
    assert "close 50 % (50 to 50 %) at every n" in shown
    assert "F1 of that support is 0.20 at n = 50, 0.30 at 100." in shown


def test_a_warm_started_decoder_tells_the_rounds_that_it_saves():
    table = flat_table("warm_start_decoder")
    put(table, 0.9, condition="warm", n_rounds=[10, 100])
    put(table, 0.8, condition="cold", n_rounds=100)
    put(table, np.nan, condition="cold", n_rounds=0)
    put(table, 0.2, condition="warm", n_latents=100)
    shown = words(draw("warm_start_decoder", table)["warm_start_decoder"])
    assert "10 instead of 100 at n = 50, more than 100 instead of 100 at 100." in shown
    assert "ahead by 0.10 at n = 50, −0.60 at 100." in shown


def test_a_warm_started_encoder_tells_the_iterations_that_it_is_worth():
    table = flat_table("warm_start_encoder")
    put(table, 0.0, condition="cold")
    put(table, 0.195, condition="cold", n_iter=[10, 100], n_latents=50)
    shown = words(draw("warm_start_encoder", table)["warm_start_encoder"])
    assert "10 at n = 50, more than 100 at 100. In the end the two starts differ by 0.0" in shown
    assert shown.partition("differ by ")[2].startswith("0.01 at n = 50, 0.20 at 100.")


def test_lambda_tells_the_best_of_each():
    table = flat_table("lambda_sensitivity")
    put(table, 0.4, condition="frozen", lam=0.01, n_latents=50)
    table["mcc_ood"].loc[{"method": "fista_oracle", "lam": 1.0}] = 0.3
    shown = words(draw("lambda_sensitivity", table)["lambda_sensitivity"])
    assert "reaches an MCC out of distribution of 0.40 at n = 50, 0.20 at 100;" in shown
    assert "the true dictionary, of 1.00 at every n." in shown


def test_learning_dynamics_tells_start_end_and_when():
    table = flat_table("learning_dynamics", ("sae_relu", "sae_topk", "dl_fista"))
    put(table, 0.5, "dictionary_mean_cosine", epoch=[100, 499], n_latents=50)
    # Dictionary learning has converged before: its last value counts, not the missing one.
    table["dictionary_mean_cosine"].loc[{"method": "dl_fista", "epoch": 499}] = np.nan
    shown = words(draw("learning_dynamics", table)["learning_dynamics"])
    assert "of 0.20 and 0.50 at n = 50, 0.20 and 0.20 at 100; half" in shown
    assert "by epoch 100 at n = 50, 0 at 100. Dictionary learning ends at 0.90 at every n" in shown


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("experiment", SURGERIES)
def test_the_question_heads_both_figures_and_without_values_has_no_result(experiment, tmp_path):
    question = figures.load(experiment).QUESTION.partition("?")[0] + "?"
    table = flat_table(experiment)
    for name in table.data_vars:
        table[name][:] = np.nan
    drawings = draw(experiment, table)
    for figure in drawings.values():
        assert words(figure).startswith(question)
        assert "no result at every n" in words(figure)
        assert "nan" not in words(figure)
    style.save(drawings[experiment], [tmp_path / "empty.png"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("experiment", SURGERIES)
def test_a_surgery_without_references_or_on_one_size_draws(experiment):
    table = flat_table(experiment, ("sae_relu",)).isel(n_latents=[0])
    # Where there is a sweep of steps, each condition has a row.
    rows = len(table["condition"]) if experiment in STEPS else 1
    assert len(draw(experiment, table)[experiment].axes) == rows


def test_each_number_of_latents_has_a_panel():
    sizes = [50, 100, 500, 1000]
    table = flat_table("warm_start_encoder").isel(n_latents=[0] * len(sizes))
    drawings = draw("warm_start_encoder", table.assign_coords(n_latents=sizes))
    axes = drawings["warm_start_encoder"].axes
    assert [axis.get_title("left") for axis in axes[:4]] == [f"n = {size}" for size in sizes]
    assert len(axes) == 2 * len(sizes)
    assert len(drawings["warm_start_encoder_all"].axes) == 7 * len(sizes)


@pytest.mark.parametrize("experiment", ["warm_start_decoder", "warm_start_encoder"])
def test_oracle_and_chance_stay_where_they_were_before_the_surgery(experiment):
    table = flat_table(experiment)
    step = {STEPS[experiment]: 100}
    for method in ("fista_oracle", "random_dictionary"):
        table["mcc_ood"].loc[{"method": method, "condition": "warm", **step}] = 0.5
    axis = draw(experiment, table)[experiment].axes[0]
    (oracle,) = lines_of(axis, "fista_oracle", table)
    assert (np.asarray(oracle.get_ydata()) == 1).all()
    (band,) = (each for each in axis.collections if isinstance(each, PolyCollection))
    assert np.allclose(band.get_paths()[0].vertices[:, 1], 0.1)


def test_under_other_penalties_the_oracle_moves_too():
    table = flat_table("lambda_sensitivity")
    table["mcc_ood"].loc[{"method": "fista_oracle", "condition": "frozen", "lam": 1.0}] = 0.3
    axis = draw("lambda_sensitivity", table)["lambda_sensitivity"].axes[0]
    oracle = lines_of(axis, "fista_oracle", table)[0]
    assert np.asarray(oracle.get_ydata()).tolist() == [1, 1, 0.3]


def test_each_start_has_a_row_in_which_methods_stand_side_by_side():
    table = flat_table("warm_start_decoder")
    put(table, np.nan, condition="cold", n_rounds=0)
    axes = draw("warm_start_decoder", table)["warm_start_decoder"].axes
    assert axes[0].get_ylabel().startswith("from the SAE's decoder")
    assert axes[2].get_ylabel().startswith("from random")
    # From random there is nothing before the first round.
    for axis, steps in ((axes[0], [0, 1, 10, 100]), (axes[2], [1, 10, 100])):
        places = []
        for method in ("sae_relu", "sae_topk", "sae_mp"):
            (line,) = lines_of(axis, method, table)
            known = np.isfinite(line.get_ydata())
            assert known.sum() == len(steps)
            places.append(np.asarray(line.get_xdata())[known])
        assert (np.diff(places, axis=0) > 0).all()


def test_of_all_quantities_the_second_start_is_hollow():
    table = flat_table("warm_start_decoder")
    axis = draw("warm_start_decoder", table)["warm_start_decoder_all"].axes[0]
    warm, cold = lines_of(axis, "sae_topk", table)
    assert warm.get_markerfacecolor() == warm.get_color()
    assert cold.get_markerfacecolor() == "white"


@pytest.mark.parametrize("experiment", ["frozen_decoder", "support_recovery", "learned_dictionary"])
def test_no_line_joins_conditions_that_have_no_order(experiment):
    table = flat_table(experiment)
    for axis in draw(experiment, table)[experiment].axes:
        for method in ("sae_relu", "fista_oracle"):
            (line,) = lines_of(axis, method, table)
            assert line.get_linestyle() == "None"


def test_a_frozen_decoder_tells_whether_norms_and_starts_matter():
    table = flat_table("frozen_decoder")
    assert "change MCC by less than 0.01." in words(draw("frozen_decoder", table)["frozen_decoder"])
    put(table, 0.25, condition="renormed", n_latents=50)
    assert "change MCC by at most 0.05." in words(draw("frozen_decoder", table)["frozen_decoder"])


def test_steps_that_only_another_method_has_do_not_tear_a_line():
    table = flat_table("learning_dynamics", ("sae_relu", "dl_fista"))
    table["dictionary_mean_cosine"].loc[{"method": "sae_relu", "epoch": 10}] = np.nan
    axis = draw("learning_dynamics", table)["learning_dynamics"].axes[0]
    (line,) = lines_of(axis, "sae_relu", table)
    assert np.asarray(line.get_xdata()).tolist() == pytest.approx([0, 100, 499])


def test_a_lacking_condition_is_named():
    table = flat_table("support_recovery").sel(condition=["own", "lstsq"])
    with pytest.raises(SurgeryError, match="the table has no condition lstsq_exact, nnls"):
        draw("support_recovery", table)


@pytest.mark.parametrize("experiment", SURGERIES)
def test_numbers_hold_every_condition_and_step_whatever_the_order_of_dimensions(experiment):
    table = make_table(experiment, METHODS)
    figure = figures.load(experiment)
    rows = figure.numbers({experiment: table})
    sweep = list(SURGERIES[experiment])
    assert list(rows.columns[:3]) == ["method", "title", "family"]
    assert [name for name in rows.columns if name in sweep] == sweep
    turned = figure.numbers({experiment: table.transpose(..., "condition", "method")})
    assert rows.equals(turned)
    for row in rows.iloc[:: len(rows) // 20].itertuples():
        place = {name: getattr(row, name) for name in ("method", *sweep)}
        assert row.mean == pytest.approx(table[row.metric].sel(place).mean().item())


def test_medians_leave_out_what_is_no_sae():
    table = flat_table("frozen_decoder")
    own = table["mcc_ood"].sel(condition="own").mean("seed")
    for values in over_saes(own):
        np.testing.assert_allclose(values, 0.2)


def test_the_first_step_is_infinite_where_the_goal_is_never_reached():
    table = flat_table("warm_start_encoder", ("sae_relu", "sae_topk", "sae_mp"))
    values = table["mcc_ood"].isel(condition=0, n_latents=0, seed=0, drop=True).copy()
    values[:] = [[0, 0.5, 0.6, 0.7], [0, 0, 0, 0], [np.nan] * 4]
    reached = first_step(values, values.isel(n_iter=-1) * 0 + 0.6, "n_iter")
    np.testing.assert_array_equal(reached, [10, np.inf, np.nan])
    np.testing.assert_array_equal(last_known(values, "n_iter"), [0.7, 0, np.nan])


@pytest.mark.parametrize(("value", "text"), [(-0.001, "0.00"), (-0.126, "−0.13"), (2.0, "2.00")])
def test_numbers_have_a_true_minus_and_no_minus_zero(value, text):
    assert decimals(value) == text


def test_sizes_are_named_once_and_missing_values_said():
    values = flat_table("support_recovery")["mcc_ood"].isel(
        method=0, condition=0, seed=0, drop=True
    )
    values = values.copy(data=[np.nan, 0.5])
    shown = at_sizes(decimals, values).replace("\N{NO-BREAK SPACE}", " ")
    assert shown == "no result at n = 50, 0.50 at 100"
