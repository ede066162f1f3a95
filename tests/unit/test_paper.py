"""The manuscript: it adapts to its run, and quotes nothing that no rule made."""

import json
import shutil
from pathlib import Path

import pytest

from paper_run import full_table, make_run, write_table
from sae_surgery import problems
from sae_surgery.errors import SurgeryError
from sae_surgery.pages.prose import bare_numbers
from sae_surgery.steps.typeset import typeset

PAPER = Path(__file__).parents[2] / "paper"
START = '#import "template.typ": *\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the numbers' file of a made-up run of all experiments."""
    return make_run(tmp_path_factory.mktemp("paper") / "run")


@pytest.fixture
def manuscript(made, tmp_path):
    """Return a function that typesets a text with the run's numbers."""
    shutil.copytree(made.parent, tmp_path / "run")
    shutil.copytree(PAPER, tmp_path / "paper", ignore=shutil.ignore_patterns("*.pdf"))

    def write(text):
        source = tmp_path / "paper" / "main.typ"
        source.write_text(START + text, encoding="utf-8")
        typeset(source, tmp_path / "run" / "numbers.json", tmp_path / "main.pdf")
        return tmp_path / "main.pdf"

    return write


def test_the_same_numbers_give_the_same_bytes(made, tmp_path):
    for name in ("first.pdf", "second.pdf"):
        typeset(PAPER / "main.typ", made, tmp_path / name)
    first = (tmp_path / "first.pdf").read_bytes()
    assert first.startswith(b"%PDF")
    assert first == (tmp_path / "second.pdf").read_bytes()


@pytest.mark.parametrize(
    ("experiments", "methods"),
    [
        (["latents"], ("fista_oracle", "sae_relu", "pca")),
        (["samples"], ("linear_probe",)),
        (["frozen_decoder", "phase_transition"], ("sae_mp", "random_dictionary", "fista_oracle")),
        (["lambda_sensitivity"], ("fista_oracle", "sae_topk")),
    ],
)
def test_it_adapts_to_what_a_run_holds(tmp_path, experiments, methods):
    numbers = make_run(tmp_path / "run", experiments, compared=False, methods=methods)
    typeset(PAPER / "main.typ", numbers, tmp_path / "main.pdf")
    assert (tmp_path / "main.pdf").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('#num("latents/mcc_odd/sae_relu/n_latents=50")', "latents/mcc_odd/sae_relu/n_latents=50"),
        ('#fig("latent")', 'figure "latent", which no rule makes'),
        ('#judged("frozen_decoders")', '"frozen_decoders", which is none of the experiments'),
        ('#if has("latents", method: "sae_rleu") []', '"sae_rleu", which is none of the methods'),
        ('#finding("oracle_perfect", holds: [It is.])', 'claim "oracle_perfect"'),
        ('#across("latents", "mcc_ood", "sae:mean")', "latents/mcc_ood/sae:mean/n_latents=50"),
        ("#nmu(1)", "unknown variable: nmu"),
    ],
)
def test_a_misspelt_name_is_named(manuscript, text, complaint):
    with pytest.raises(SurgeryError, match=r"main\.typ: cannot be typeset") as caught:
        manuscript(text)
    assert complaint in str(caught.value)


def test_what_is_spelt_right_is_typeset(manuscript):
    text = '#fig("latents") #num("latents/mcc_ood/sae_relu/n_latents=50")'
    assert manuscript(text).exists()


def test_a_stale_number_is_named(manuscript, tmp_path):
    changed = full_table("samples", seeds=2)
    write_table(tmp_path / "run", changed, "samples")
    with pytest.raises(SurgeryError, match=r"numbers\.json: stale: .*: tables/samples\.nc$"):
        manuscript("Nothing.")


def test_a_source_that_is_gone_is_named(manuscript, tmp_path):
    (tmp_path / "run" / "verdict.csv").unlink()
    with pytest.raises(SurgeryError, match=r"numbers\.json: stale: .*: verdict\.csv$"):
        manuscript("Nothing.")


def test_a_figure_that_is_gone_is_named(manuscript, tmp_path):
    (tmp_path / "run" / "figures" / "latents.pdf").unlink()
    with pytest.raises(SurgeryError, match=r"latents\.pdf"):
        manuscript('#fig("latents")')


def test_nothing_is_left_behind_by_an_error(manuscript, tmp_path):
    with pytest.raises(SurgeryError):
        manuscript('#fig("latent")')
    assert not list(tmp_path.glob("*.pdf"))


def test_numbers_that_are_no_json_are_refused(manuscript, tmp_path):
    path = tmp_path / "run" / "numbers.json"
    path.write_text(path.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    with pytest.raises(SurgeryError, match=r"numbers\.json: not a readable file of numbers"):
        manuscript("Nothing.")


def test_a_result_that_is_written_out_is_refused(manuscript):
    with pytest.raises(SurgeryError, match=r"line 3: 0\.97"):
        manuscript("The oracle\nreaches 0.97 here.")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It reaches 0.97.", [(1, "0.97")]),
        ("Two lines,\nthe second with 12.5.", [(2, "12.5")]),
        ("By 95 % or 7%.", [(1, "95"), (1, "7")]),
        (
            "= Results\nAt 0.5.\n= Problem and methods\nWith 0.1.\n= End\n1.5",
            [(2, "0.5"), (6, "1.5")],
        ),
        ('#num("a/n=0.5") and @beck2009', []),
        ("#v(0.5em) // not 0.7\n#set text(7.5pt)", []),
        ("Of 50 latents, version 1.2.3.", []),
    ],
)
def test_results_that_are_written_out_are_found(text, found):
    assert bare_numbers(text) == found


def test_the_manuscript_asks_only_for_what_a_full_run_has(made):
    """What it asks for and no run has would leave a sentence out without a word."""
    document = json.loads(made.read_bytes())
    text = (PAPER / "main.typ").read_text(encoding="utf-8")
    assert set(document["known"]["experiments"]) == {*document["figures"]}
    # Figures of other problems have the problem's name.
    for name in document["figures"].keys() - set(problems.available()):
        assert f'fig("{name}")' in text
