"""The harness of the benchmarks: order of runs, medians, who is refused, and what is written."""

import math
import time

import pytest
import torch

from benchmarks import growth, report
from benchmarks.harness import Comparison, Contestant, Readings, limited_threads, race
from sae_surgery.files import store


def comparison(*contestants, judge=lambda error: {"error": error}):
    return Comparison("sums", "n = 3", 3, contestants, judge)


def reader(log, name, *values):
    """Return a run that notes its turn and reads one value after the other."""
    remaining = iter(values)

    def run():
        log.append(name)
        return Readings({"": next(remaining)}, 0.0)

    return run


def contestant(log, name, *values, **options):
    return Contestant(name, reader(log, name, *values), **options)


def test_the_exponent_of_a_power_is_found():
    sizes = [100, 200, 500]
    assert growth.exponent(sizes, [3e-5 * n**2.5 for n in sizes]) == pytest.approx(2.5)


def test_growth_is_drawn_and_listed_where_it_was_reached(tmp_path):
    rows, sizes = [], (100, 200, 500)
    for n in sizes:
        times = Readings({"cosine 0.9": n / 100, "cosine 0.95": math.inf}, 0.0, limit=9)
        learner = Contestant("ours", lambda times=times: times, once=True)
        measures = {"distance": 0.1, "looks until cosine 0.9": 7}
        size = Comparison("dictionary_scaling", f"n = {n}", n, [learner], lambda _, m=measures: m)
        rows += race(size, 1, 60)
    paths = report.write_figures(tmp_path, rows)
    assert {path.suffix for path in paths} == {".png", ".pdf", ".csv"}
    table = growth.reached(rows)
    assert table["goal"].tolist() == ["cosine 0.9"] * 3
    assert table["seconds"].tolist() == [1, 2, 5]
    assert table["gflop"].tolist() == [7 * growth.round_gflop(n) for n in sizes]


def test_contestants_take_turns_after_each_has_warmed_up():
    log = []
    race(comparison(contestant(log, "a", *range(4)), contestant(log, "b", *range(4))), 3, 60)
    assert log == ["a", "b"] * 4


def test_values_are_those_after_the_warm_up():
    rows = race(
        comparison(contestant([], "a", 99, 3, 1, 2), contestant([], "b", 0, 9, 8, 4)), 3, 60
    )
    assert [row.median for row in rows] == [2, 8]
    assert [row.lowest for row in rows] == [1, 4]
    assert rows[0].quartiles == (1.5, 2.5)
    assert [row.ratio for row in rows] == [1, 4]


def test_who_has_spent_the_patience_is_timed_once_all_the_same():
    log = []
    (row,) = race(comparison(contestant(log, "slow", 9, 1)), 5, 0.0)
    assert log == ["slow", "slow"]
    assert row.values == (1,)


def test_one_run_has_to_do_where_that_is_asked_for():
    log = []
    rows = race(comparison(contestant(log, "a", 9, once=True), contestant(log, "b", 1, 2)), 1, 60)
    assert log == ["a", "b", "b"]
    assert [row.median for row in rows] == [9, 2]


def test_rows_of_one_reading_stand_together():
    both = Readings({"near": 1.0, "far": 2.0}, 0.0)
    rows = race(comparison(*(Contestant(name, lambda: both) for name in "ab")), 1, 60)
    assert [(row.size[-4:], row.contestant) for row in rows] == [
        ("near", "a"),
        ("near", "b"),
        (" far", "a"),
        (" far", "b"),
    ]


def test_scale_multiplies_seconds():
    def run():
        time.sleep(0.01)

    (row,) = race(comparison(Contestant("a", run, scale=1000)), 1, 60)
    assert row.median >= 10


@pytest.mark.parametrize(("ratio", "verdict"), [(3, "met"), (2.9, "missed")])
def test_verdict_compares_the_ratio_with_the_target(ratio, verdict):
    rows = race(
        comparison(contestant([], "ours", 0, 1), contestant([], "b", 0, ratio, target=3)), 1, 60
    )
    assert [row.verdict for row in rows] == ["", verdict]


def test_who_does_not_solve_the_problem_is_refused():
    wrong = Contestant("wrong", lambda: 0.5, tolerance=0.1)
    ours, refused = race(comparison(contestant([], "ours", 0, 1), wrong), 1, 60)
    assert ours.status == "ok"
    assert refused.status == "refused: error 5.0e-01 > 1e-01"
    assert math.isnan(refused.ratio) and not refused.values


def test_an_error_that_is_not_a_number_is_refused():
    (row,) = race(comparison(Contestant("wrong", lambda: math.nan, tolerance=0.1)), 1, 60)
    assert row.status.startswith("refused")


def test_who_fails_is_reported_and_the_others_go_on():
    def fail():
        raise ModuleNotFoundError("No module named 'peer'\nand more")

    failed, ran = race(comparison(Contestant("a", fail), contestant([], "b", 0, 1)), 1, 60)
    assert failed.status == "failed: ModuleNotFoundError: No module named 'peer'"
    assert ran.values == (1,)
    assert math.isnan(ran.ratio)


def test_who_cannot_take_part_is_listed_with_the_reason():
    (row,) = race(comparison(Contestant("a", skip="has no such thing")), 1, 60)
    assert row.status == "skipped: has no such thing"


def test_what_was_not_reached_is_a_bound():
    def give_up():
        return Readings({"near": 2.0, "far": math.inf}, 0.0, limit=30)

    ours = Contestant("ours", lambda: Readings({"near": 1.0, "far": 5.0}, 0.0))
    rows = race(comparison(ours, Contestant("b", give_up, target=7)), 1, 60)
    far = next(row for row in rows if row.contestant == "b" and row.size.endswith("far"))
    assert (far.status, far.values, far.ratio) == ("not reached", (30,), 6)
    assert far.verdict == ""


def test_threads_are_limited_and_given_back():
    before = torch.get_num_threads()
    with limited_threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


@pytest.fixture
def rows():
    def fail():
        raise RuntimeError("no | luck")

    return race(
        comparison(
            contestant([], "ours", 0, 1, 1),
            contestant([], "peer", 0, 4, 4, target=2, note="a part"),
            Contestant("broken", fail),
        ),
        2,
        60,
    )


def test_page_has_a_line_for_each_contestant(rows, tmp_path):
    report.write_page(tmp_path / "page.md", rows)
    lines = (tmp_path / "page.md").read_text(encoding="utf-8").splitlines()
    table = lines[lines.index("## sums: n = 3") + 2 :]
    assert len(table) == 2 + len(rows)
    assert table[3].startswith("| 1 | peer | 4 s | 4 – 4 | 4 | 2 | 4 | 2 | met |")
    assert "a part" in table[3]
    assert "failed: RuntimeError: no \\| luck" in table[4]
    assert "Targets met: 1 of 1." in lines


def test_table_is_a_result_file_that_can_be_read_back(rows, tmp_path):
    report.write_table(tmp_path / "table.nc", rows)
    table = store.read(tmp_path / "table.nc", "benchmarks")
    assert list(table["contestant"].values) == ["ours", "peer", "broken"]
    assert table["median"].values[:2].tolist() == [1, 4]
    assert math.isnan(table["median"].values[2])
    assert table["verdict"].values[1] == "met"


def test_figures_show_what_ran(rows, tmp_path):
    assert report.write_figures(tmp_path, rows) == []
    inference = [row.__class__(**{**vars(row), "comparison": "inference_exact"}) for row in rows]
    written = report.write_figures(tmp_path, inference)
    assert len(written) == 4
    assert all(path.stat().st_size > 0 for path in written)
