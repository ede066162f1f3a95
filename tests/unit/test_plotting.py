"""The key `plotting` of a configuration: what is checked, and what it changes in figures."""

import pytest
from matplotlib.figure import Figure

from figure_tables import make_table, words
from sae_surgery import figures
from sae_surgery.drawing import style
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.plan import config
from sae_surgery.plan.plotting import Plotting
from sae_surgery.steps import draw as step

SWEEPS = {"latents": {"n_latents": [50, 100]}}


def load(**plotting):
    return config.load({"sweeps": SWEEPS, "plotting": plotting}).plotting


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"colour": 1}, "plotting: unknown key 'colour'; allowed are palette, font, width"),
        ({"width": 20}, "plotting.width: 20 is too small; allowed are numbers from 60"),
        ({"width": "wide"}, r"plotting.width: 'wide' .*text\|column"),
        ({"width": "contexts"}, r"plotting.width: 'contexts' .*text\|column"),
        ({"metrics": {"scaling": ["mcc_id"]}}, "plotting.metrics: 'scaling' is unknown; .*latents"),
        ({"formats": ["tiff"]}, "plotting.formats.0: 'tiff' is unknown; allowed are pdf, png, svg"),
        ({"formats": []}, "plotting.formats: .* is empty"),
        ({"titles": 1}, "plotting.titles: 1 is not of type boolean; allowed are true and false"),
        ({"palette": {"sae": "red"}}, "plotting.palette.sae: 'red' .*#"),
        ({"palette": {"saes": "#000000"}}, "plotting.palette: 'saes' is unknown; did you mean"),
        ({"palette": {"pca": ["#000000"]}}, "plotting.palette.pca: a method has one colour"),
        ({"methods": ["sae_top"]}, "plotting.methods: 'sae_top' is unknown; did you mean"),
        ({"metrics": {"latent": ["mcc_id"]}}, "plotting.metrics: 'latent' is unknown; did you"),
        ({"panels": {"n_latent": [50]}}, "plotting.panels: 'n_latent' is unknown; did you mean"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(given, message):
    with pytest.raises(SurgeryError, match=message):
        load(**given)


def test_without_it_figures_are_as_by_default():
    assert load() == Plotting()
    schema = config.schema()["properties"]["plotting"]["properties"]
    assert set(schema) == set(Plotting.__dataclass_fields__)


def test_a_step_is_given_what_differs_and_concerns_its_figure():
    chosen = load(width="column", metrics={"latents": ["mcc_ood"]})
    assert chosen.of("latents") == {"width": "column", "metrics": {"latents": ["mcc_ood"]}}
    assert chosen.of("samples") == {"width": "column"}
    assert Plotting().of("latents") == {}


@pytest.fixture
def table_path(tmp_path):
    table = make_table("latents").assign_attrs(experiment="latents")
    table.to_netcdf(tmp_path / "latents.nc")
    return tmp_path / "latents.nc"


@pytest.fixture
def drawn(monkeypatch, table_path, tmp_path):
    """Return a function that draws by the step, and gives the main drawing and its files."""
    monkeypatch.setattr(
        store, "read", lambda path, kind: make_table("latents").assign_attrs(experiment="latents")
    )
    seen: list[Figure] = []
    save = style.save

    def keep(figure, paths):
        seen.append(figure)
        save(figure, paths)

    monkeypatch.setattr(style, "save", keep)

    def draw(**plotting):
        step.draw("latents", [table_path], tmp_path / "figures", plotting)
        return seen[-2], sorted(path.name for path in (tmp_path / "figures").iterdir())

    (tmp_path / "figures").mkdir()
    return draw


def test_width_formats_and_titles(drawn):
    figure, files = drawn(width=100, formats=["svg"], titles=False)
    assert figure.get_figwidth() == pytest.approx(100 / 25.4)
    assert files == ["latents.csv", "latents.svg", "latents_all.svg"]
    assert "which methods still recover" not in words(figure)


def test_methods_panels_and_metrics(drawn, tmp_path):
    figure, _ = drawn(
        methods=["fista_oracle", "pca", "sae_mp"],
        panels={"n_latents": [100], "k": [3]},
        metrics={"latents": ["acc_id"]},
        formats=["png"],
    )
    (axis,) = figure.axes
    assert axis.get_title("left") == "(a) Accuracy, in distribution"
    assert axis.get_xticks().tolist() == [100]
    assert "DL-FISTA" not in words(figure)
    rows = (tmp_path / "figures/latents.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 3 * 6


def test_what_no_table_has_is_refused(drawn):
    with pytest.raises(SurgeryError, match=r"plotting\.panels\.n_latents: none .* has 50, 100"):
        drawn(panels={"n_latents": [7]})
    with pytest.raises(SurgeryError, match=r"plotting\.methods: none is in the table latents"):
        drawn(methods=["saved"])
    with pytest.raises(SurgeryError, match="the table has no variable nonsense"):
        drawn(metrics={"latents": ["nonsense"]})
    with pytest.raises(SurgeryError, match=r"plotting\.font: 'Nonsense' is unknown; there are "):
        drawn(font="Nonsense")
    with pytest.raises(SurgeryError, match=r"plotting\.width: 'wide'"):
        drawn(width="wide")


def test_colours_of_families_methods_and_models():
    families = {"sae_relu": "sae", "sae_topk": "sae", "mine": "sae", "pca": "linear"}
    given = {"sae": ["#111111", "#222222"], "mine": "#abcdef", "linear": "#008000"}
    with style.configured(Plotting(palette=given)):
        looks = style.looks(families)
    assert [looks[name].color for name in ("sae_relu", "sae_topk")] == ["#111111", "#222222"]
    assert looks["mine"].color == "#abcdef"
    # The second member of a family of one colour has a tint of it.
    assert looks["pca"].color not in ("#008000", style.FAMILIES["linear"].shades[1])
    assert style.looks(families)["mine"].color != "#abcdef"


def test_a_narrow_figure_names_texts_that_overlap(drawn, capsys):
    drawn(width=60, formats=["png"])
    assert "overlaps" in capsys.readouterr().err


def test_figures_are_drawn_in_another_font():
    with style.configured(Plotting(font="STIXGeneral")):
        figure = figures.load("latents").draw({"latents": make_table("latents")})["latents"]
    assert {text.get_fontname() for text in figure.legends[0].get_texts()} == {"STIXGeneral"}
