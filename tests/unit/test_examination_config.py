"""The section `examine`: what it expands to, what is refused, and what the command writes."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from sae_surgery import examination
from sae_surgery.plan import config, costs
from sae_surgery.steps.examine import _joined, _names, _section

ROOT = Path(__file__).parents[2]
SWEEPS = {"latents": {"over": ["n_latents"], "n_latents": [20], "k": [3]}}
GOOD = {"activations": "acts.npy", "saes": {"mine": {"path": "sae"}}}


def load(section):
    return config.load({"sweeps": SWEEPS, "examine": section}).examination


def test_without_saes_nothing_is_examined():
    assert config.load({"sweeps": SWEEPS}).examination.saes == {}


def test_the_example_is_valid():
    example = yaml.safe_load((ROOT / "config" / "examine.yaml").read_bytes())
    run = config.load({"sweeps": SWEEPS} | example)
    assert list(run.examination.saes) == ["mine"]
    assert run.examination.learned == ("0", "1", "started")


def test_defaults_ask_all_questions_of_a_sample():
    found = load(GOOD)
    assert found.questions == examination.available()
    assert (found.samples, found.held_out, found.seeds) == (20_000, 0.25, (0,))
    assert load(GOOD | {"samples": 500_000}).counted == 500_000


def test_saes_on_the_same_files_share_their_rows():
    saes = {"a": {"path": "a"}, "b": {"path": "b"}, "c": {"path": "a", "activations": "other.npy"}}
    found = load(GOOD | {"saes": saes, "labels": "labels.npy"})
    assert len(found.rows) == 2
    assert found.beside("a") == ("b",) and found.beside("c") == ()
    assert found.saes["c"].rows.labels is None
    assert found.saes["a"].rows.files == ["acts.npy", "labels.npy"]


def test_questions_are_answered_in_the_order_of_the_page():
    assert load(GOOD | {"questions": ["health", "encoder"]}).questions == ("encoder", "health")
    assert load(GOOD | {"rivals": False}).learned == ()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"saes": {"mine": {"path": "sae"}}}, "mine: has no activations"),
        (GOOD | {"saes": {"mine": {}}}, "the key 'path' is missing"),
        (GOOD | {"saes": {"mine": {"path": ""}}}, "mine.path: is empty"),
        (GOOD | {"saes": {"a b": {"path": "sae"}}}, "'a b' is not a valid name"),
        (GOOD | {"saes": {"mine": {"path": "sae", "overrule": ["l1"]}}}, "allowed are l0"),
        (GOOD | {"samples": 3}, "samples: 3 is too small"),
        (GOOD | {"held_out": 1}, "held_out: 1 is too large"),
        (GOOD | {"questions": ["encodre"]}, "did you mean 'encoder'"),
        (GOOD | {"questions": []}, "at least one"),
        (GOOD | {"smaples": 1000}, "unknown key 'smaples'; did you mean 'samples'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(section, said):
    with pytest.raises(config.ConfigError) as error:
        load(section)
    assert any(said in problem for problem in error.value.problems)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/my sae.npz"], ["my-sae"]),
        (["runs/layer3/ae.pt"], ["layer3_ae"]),
        (["a/sae_x", "b/sae_x"], ["sae_x", "b_sae_x"]),
        (["a/x.npz", "a/x.npz"], ["x", "a_x"]),
        (["layers.3/"], ["layers-3"]),
    ],
)
def test_saes_are_named_after_their_files(paths, names):
    assert _names([Path(path) for path in paths]) == names


def test_runs_are_named_after_their_saes():
    assert _joined(["a"]) == "a"
    assert _joined(["a", "b", "c"]) == "a_and_2_more"


def test_activations_are_for_all_or_one_each():
    two = [Path("a"), Path("b")]
    shared = _section(two, [Path("x")], Path("o"), None, ["a", "b"], "plain", ["l0"])
    assert shared["activations"] == "x" and shared["ood"] == "o"
    assert shared["saes"]["a"] == {"path": "a", "format": "plain", "overrule": ["l0"]}
    own = _section(two, [Path("x"), Path("y")], None, None, ["a", "b"], None, [])
    assert own["saes"]["b"] == {"path": "b", "activations": "y"}


def test_an_examination_takes_longer_the_larger_the_sae_and_the_more_rows(tmp_path):
    for name, size in (("small", 10), ("large", 1000)):
        np.save(tmp_path / f"{name}.npy", np.zeros(size * 1000, np.float32))
    saes = {name: {"path": str(tmp_path / f"{name}.npy")} for name in ("small", "large")}
    section = {"activations": "acts.npy", "saes": saes | {"missing": {"path": "nowhere"}}}
    few, many = (
        config.load({"sweeps": SWEEPS, "examine": section | {"samples": n}})
        for n in (1000, 100_000)
    )

    def seconds(run, sae):
        return costs.of_rule("ask", {"sae": sae, "question": "encoder"}, run).seconds

    assert seconds(few, "small") < seconds(few, "large") < seconds(many, "large")
    assert seconds(few, "missing") <= seconds(few, "small")
    assert costs.of_rule("present", {}, few) == costs.LOCAL
