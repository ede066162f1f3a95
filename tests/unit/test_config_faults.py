"""Configurations as people write them, by mistake or in haste: read as written, or refused."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sae_surgery.errors import SurgeryError
from sae_surgery.pages import claims
from sae_surgery.parts import make_settings
from sae_surgery.plan import config, configfile, documents

ROOT = Path(__file__).parents[2]
SWEEP = "sweeps: {latents: {over: [n_latents], n_latents: [20, 40], k: [3]}}\n"


def read(tmp_path, text, *entries):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return configfile.read([path], entries)


def load(tmp_path, text, *entries):
    return configfile.load(read(tmp_path, SWEEP + text, *entries))


@pytest.mark.parametrize("name", ["2026-11-21", "2026_11_21", "12", "007", "1e3", "yes", "null"])
@pytest.mark.parametrize("by", ["file", "command line"])
def test_a_run_is_called_what_is_written(tmp_path, name, by):
    given = (f"run: {name}\n",) if by == "file" else ("", f"run={name}")
    assert load(tmp_path, *given).name == name


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", ".001", "+0.001", "1_0e-4"])
def test_numbers_are_read_as_they_are_written(tmp_path, text):
    given = f"{{sae_relu: {{learning_rate: {text}}}, linear_probe: {{alphas: [{text}, 1]}}}}"
    for run in (load(tmp_path, f"settings: {given}"), load(tmp_path, "", f"settings={given}")):
        assert run.settings["sae_relu"]["learning_rate"] == 0.001
        assert run.settings["linear_probe"]["alphas"] == [0.001, 1]


@pytest.mark.parametrize("text", ["1e4", "1.0e+4", "10_000", "010000"])
def test_integers_may_have_an_exponent(tmp_path, text):
    run = configfile.load(read(tmp_path, f"sweeps: {{latents: {{n_samples: [{text}]}}}}"))
    (name,) = run.cells
    assert name.endswith("_s10000")


@pytest.mark.parametrize(
    ("entry", "key", "value"),
    [
        ("redraw=True", "redraw", True),
        ("redraw=true", "redraw", True),
        ("redraw=yes", "redraw", True),
        ("redraw=False", "redraw", False),
        ("methods=null", "methods", None),
        ("methods=[pca, raw]", "methods", ["pca", "raw"]),
        ("seeds=[0,7]", "seeds", [0, 7]),
        ("settings={sae_relu: {epochs: 7}}", "settings", {"sae_relu": {"epochs": 7}}),
        ("settings={'sae_relu': {'epochs': 7}}", "settings", {"sae_relu": {"epochs": 7}}),
        (
            'settings={"pca": {"learns_from": "train"}}',
            "settings",
            {"pca": {"learns_from": "train"}},
        ),
        ("comparison={mcc: {margin: 1e-2}}", "comparison", {"mcc": {"margin": 0.01}}),
    ],
)
def test_values_of_the_command_line_are_those_of_a_file(tmp_path, entry, key, value):
    assert read(tmp_path, SWEEP, entry).value[key] == value
    name, _, text = entry.partition("=")
    assert read(tmp_path, f"{name}: {text}").value[key] == value
    load(tmp_path, "", entry)


def test_later_sources_are_laid_over_earlier_ones(tmp_path):
    texts = ("run: a\nsettings: {pca: {}, raw: {}}", "run: b\nsettings: {sae_relu: {epochs: 3}}")
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    given = configfile.read(paths, ["settings={sae_relu: {batch_size: 8}}"])
    assert given.value["run"] == "b"
    assert given.value["settings"] == {
        "pca": {},
        "raw": {},
        "sae_relu": {"epochs": 3, "batch_size": 8},
    }
    assert given.places["run"].endswith("b.yaml:1")
    assert given.places["settings.sae_relu.batch_size"] == "--config settings"


BAD = {
    "text for a number": ("seeds: ['0x']", ["mine.yaml:2: seeds.0: '0x'", "integer"]),
    "quoted number": ("settings: {sae_relu: {penalty: '1e-3'}}", ["penalty", "write 0.001"]),
    "quoted number in a list": (
        "settings: {linear_probe: {alphas: [1, '1e-2']}}",
        ["settings.linear_probe.alphas.1: '1e-2'", "write 0.01, without quotes"],
    ),
    "null in a list": ("settings: {linear_probe: {alphas: [null]}}", ["alphas.0: None", "float"]),
    "true in a list": ("settings: {linear_probe: {alphas: [true]}}", ["alphas.0: True", "float"]),
    "nan in a list": ("settings: {linear_probe: {alphas: [.nan]}}", ["alphas.0: nan", "finite"]),
    "list in a list": ("settings: {linear_probe: {alphas: [[1]]}}", ["alphas.0: [1]", "float"]),
    "mapping in a list": ("settings: {linear_probe: {alphas: [{}]}}", ["alphas.0: {}", "float"]),
    "float among counts": (
        "settings: {warm_start_encoder: {counts: [0, 1.5]}}",
        ["counts.1: 1.5", "int"],
    ),
    "scalar for a list": ("settings: {linear_probe: {alphas: 1}}", ["alphas: 1", "write [1]"]),
    "list for a scalar": ("settings: {sae_relu: {epochs: [3]}}", ["epochs: [3]", "int"]),
    "whole float": ("settings: {sae_relu: {epochs: 3.0}}", ["epochs: 3.0", "write 3"]),
    "null for a number": ("settings: {sae_relu: {epochs: }}", ["epochs: None", "int"]),
    "infinite": ("settings: {sae_relu: {penalty: .inf}}", ["penalty: inf", "finite"]),
    "overflow": ("settings: {sae_relu: {penalty: 1e400}}", ["penalty: inf", "finite"]),
    "absurd epochs": ("settings: {sae_relu: {epochs: 1e12}}", ["epochs: 1000000000000", "up to"]),
    "setting misspelt": ("settings: {sae_relu: {epoch: 3}}", ["'epoch'", "mean 'epochs'"]),
    "null settings": ("settings: {sae_relu: }", ["settings.sae_relu: None", "object"]),
    "key misspelt": (
        "sedes: [0]",
        ["mine.yaml:2: configuration: unknown key 'sedes'", "mean 'seeds'"],
    ),
    "key of a sweep misspelt": (
        "surgeries: {cell_of: x}",
        ["surgeries: unknown key 'cell_of'", "mean 'cells_of'"],
    ),
    "limit misspelt": (
        "comparison: {mcc: {margn: 1}}",
        ["comparison.mcc: unknown key 'margn'", "mean 'margin'"],
    ),
    "nan margin": ("comparison: {mcc: {margin: .nan}}", ["comparison.mcc.margin: nan", "finite"]),
    "seed a whole float": ("seeds: [1.0]", ["seeds.0: 1.0", "write 1"]),
    "seed for seeds": ("seeds: 3", ["seeds: 3", "write [3]"]),
    "run with a newline": ('run: "a\\n"', ["run: 'a\\n'", "not a valid name"]),
    "run with a space": ("run: 'a '", ["run: 'a '", "not a valid name"]),
    "run with a dot": ("run: a.b", ["run: 'a.b'"]),
    "run above": ("run: ..", ["run: '..'"]),
    "run below": ("run: a/b", ["run: 'a/b'"]),
    "run too long": (f"run: {'a' * 101}", ["too long", "100"]),
    "run empty": ("run:", ["run: ''"]),
    "run of kept tables": ("run: reference", ["run: 'reference'", "config/reference.yaml"]),
    "run of other kept tables": ("run: scaling\nprotocol: strict", ["run: 'scaling'"]),
    "redraw a word": ("redraw: maybe", ["redraw: 'maybe'", "true and false"]),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_with_file_line_key_and_value(tmp_path, text, words):
    with pytest.raises(config.ConfigError) as caught:
        load(tmp_path, text)
    for word in ["mine.yaml:2", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ("audit: {}", "the audit"),
        ("frozen_decoder: {}", "a surgery"),
        ("matched_sparsity: {}", "a figure of other experiments"),
        ("mine: {n_latents: [1e12]}", "sweeps.mine.n_latents.0: 1000000000000 is too large"),
        ("mine: {n_latents: [1e30]}", "sweeps.mine.n_latents.0: 1e+30"),
        ("mine: {n_latents: [true]}", "sweeps.mine.n_latents.0: True"),
        ("mine: {n_latents: [.nan]}", "sweeps.mine.n_latents.0: nan"),
        ("mine: {n_samples: ['1e4']}", "write 10000, without quotes"),
        ("mine: {n_samples: [null]}", "sweeps.mine.n_samples.0: None"),
        ("mine: {obs_dim_factor: [1e308]}", "too large"),
        ("mine: {samples_per_latent: [1e308]}", "too large"),
        ("mine: {n_latents: [1e8], samples_per_latent: [10]}", "n_samples must be at most"),
        ("mine: {leave_out: {pca: {k: [true]}}}", "sweeps.mine.leave_out.pca.k.0: True"),
        ("1: {}", "sweeps: '1' is not a valid name"),
        ('"a\\n": {}', "not a valid name"),
        ("mine: {n_latent: [20]}", "sweeps.mine: unknown key 'n_latent'; did you mean"),
    ],
)
def test_sweeps_that_cannot_be_are_refused(tmp_path, sweep, words):
    with pytest.raises(config.ConfigError) as caught:
        configfile.load(read(tmp_path, f"sweeps: {{{sweep}}}"))
    assert words in str(caught.value)


def test_all_that_is_wrong_is_listed_at_once(tmp_path):
    text = "sedes: [0]\nmethods: [pcs]\nsettings: {sae_relu: {epoch: 1, penalty: x}}\nrun: a b\n"
    with pytest.raises(config.ConfigError) as caught:
        load(tmp_path, text)
    keys = {problem.split(": ")[1] for problem in caught.value.problems}
    assert keys == {
        "configuration",
        "methods",
        "run",
        "settings.sae_relu",
        "settings.sae_relu.penalty",
    }


TWICE = {
    "at the top": ("run: a\nseeds: [0]\nrun: b\n", ["'run'", "lines 1 and 3"]),
    "in a sweep": ("sweeps:\n  a:\n    k: [1]\n    k: [2]\n", ["'sweeps.a.k'", "lines 3 and 4"]),
    "in a list": ("a:\n- b: 1\n  b: 2\n", ["'a.0.b'", "lines 2 and 3"]),
    "in one line": ("settings: {pca: {}, pca: {}}", ["'settings.pca'", "lines 1 and 1"]),
    "in quotes": ("run: a\n'run': b\n", ["'run'", "lines 1 and 2"]),
    "in JSON": ('{"run": "a",\n "run": "b"}', ["'run'", "lines 1 and 2"]),
}


@pytest.mark.parametrize(("text", "words"), TWICE.values(), ids=TWICE.keys())
def test_a_key_given_twice_is_refused_with_both_lines(tmp_path, text, words):
    with pytest.raises(SurgeryError) as caught:
        read(tmp_path, text)
    for word in ["mine.yaml", "twice", *words]:
        assert word in str(caught.value)


def test_a_key_given_twice_on_the_command_line_is_refused(tmp_path):
    with pytest.raises(SurgeryError, match=r"--config settings: .*'settings\.pca'.* twice"):
        read(tmp_path, SWEEP, "settings={pca: {}, pca: {}}")


def test_merged_keys_may_be_replaced(tmp_path):
    text = "sweeps:\n  a: &a {k: [3], n_latents: [20]}\n  b:\n    <<: *a\n    k: [2]\n"
    assert read(tmp_path, text).value["sweeps"]["b"] == {"k": [2], "n_latents": [20]}


NO_FILES = {
    "empty": (b"", "holds nothing"),
    "comments": (b"# nothing\n", "holds nothing"),
    "a list": (b"- run: a\n", "holds a list"),
    "a text": (b"hello\n", "'hello'"),
    "a number": (b"3\n", "'3'"),
    "tabs": (b"sweeps:\n\tlatents: {}\n", ":2: is not valid YAML"),
    "Latin-1": ("run: a\n# ä\n".encode("latin-1"), ":2: is not text in UTF-8"),
    "UTF-16": ("run: a\n".encode("utf-16"), ":1: is not text in UTF-8"),
    "binary": (bytes(range(256)), "mine.yaml"),
    "zeros": (bytes(100), "is not valid YAML"),
    "several documents": (b"run: a\n---\nrun: b\n", "another document"),
    "unclosed": (b"seeds: [0\n", "is not valid YAML"),
    "a tag": (b"run: !!python/name:os.system x\n", "tag"),
    "a wrong tag": (b"redraw: !!bool x\n", "tag"),
    "a loop": (b"settings: &a [*a]\n", "alias"),
    "deep": (b"settings: " + 5000 * b"[", "nested too deeply"),
    "long number": (b"seeds: [" + 5000 * b"1" + b"]", "too long"),
    "a list as key": (b"[a]: 1\n", "a key must be a name"),
    "README": ((ROOT / "config" / "README.md").read_bytes(), "mine.yaml"),
}


@pytest.mark.parametrize(("content", "words"), NO_FILES.values(), ids=NO_FILES.keys())
def test_what_is_no_configuration_is_refused_in_a_line(tmp_path, content, words):
    with pytest.raises(SurgeryError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert "mine.yaml" in message
    assert words in message
    assert len(message.splitlines()) == 1


def test_a_byte_order_mark_is_passed_over(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfrun: a\n").value == {"run": "a"}


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, words in {
        ".": "is a folder",
        "pipe": "no regular file",
        "nowhere": "no such file",
        "loop": "cannot be read",
        "x" * 300: "cannot be read",
    }.items():
        with pytest.raises(SurgeryError, match=words):
            configfile.read([tmp_path / name])


@pytest.mark.parametrize(("content", "words"), NO_FILES.values(), ids=NO_FILES.keys())
def test_what_is_no_list_of_claims_is_refused_in_a_line(tmp_path, content, words):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(SurgeryError) as caught:
        claims.load(path)
    assert "mine.yaml" in str(caught.value)
    if b"- run" not in content:
        assert len(str(caught.value).splitlines()) == 1


def test_claims_are_checked_at_once_with_their_lines(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "- id: a\n  statment: x\n  made_in: y\n  checks: []\n- id: a\n  id: b\n", encoding="utf-8"
    )
    with pytest.raises(SurgeryError, match=r"'1\.id' is given twice, in lines 5 and 6"):
        claims.load(path)
    path.write_text("- id: a\n  statment: x\n  made_in: y\n  checks: []\n", encoding="utf-8")
    with pytest.raises(SurgeryError) as caught:
        claims.load(path)
    assert "mine.yaml:2: 0: unknown key 'statment'; did you mean" in str(caught.value)
    assert "mine.yaml:4: 0.checks: [] is empty" in str(caught.value)


def test_names_of_kept_runs_are_of_what_their_files_say():
    for (name, protocol), file in config.KEPT.items():
        given = yaml.safe_load((ROOT / "config" / file).read_text(encoding="utf-8"))
        assert (given["run"], given["protocol"]) == (name, protocol)
        run = config.load(given | {"redraw": False, "device": "cpu"})
        one = next(iter(run.experiments))
        config.load(given | {"redraw": False, "experiments": [one]})
        with pytest.raises(config.ConfigError, match=f"run: '{name}'"):
            config.load(given | {"redraw": False, "seeds": [0]})
    paths = subprocess.run(
        ["git", "ls-files", "results"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    ).stdout.split()
    with_tables = {path.split("/")[1] for path in paths if "/tables/" in path}
    assert with_tables <= {name for name, _ in config.KEPT}


@dataclass(frozen=True)
class Settings:
    count: int = 1
    rate: float = 0.1
    rates: tuple[float, ...] = (0.1,)
    counts: tuple[int, ...] = (1,)
    name: str = "a"
    switch: bool = False


def test_lists_become_tuples():
    made = make_settings("settings.x", Settings, {"rates": [1, 2.5], "counts": [3]})
    assert (made.rates, made.counts) == ((1, 2.5), (3,))
    assert hash(made)


@pytest.mark.parametrize("key", ["count", "rate", "rates", "counts", "name", "switch"])
@pytest.mark.parametrize("value", [None, {}, [[]], [None], float("nan"), object(), "1e-3x"])
def test_settings_of_the_wrong_type_are_always_named(key, value):
    if key == "name" and isinstance(value, str):
        assert make_settings("settings.x", Settings, {key: value}).name == value
        return
    with pytest.raises(SurgeryError, match=rf"settings\.x\.{key}"):
        make_settings("settings.x", Settings, {key: value})


def test_json_is_read_as_strictly():
    assert documents.parse_json('{"a": 1e2, "b": [1.0, 1e-3]}') == {"a": 100, "b": [1.0, 0.001]}
    assert isinstance(documents.parse_json("1e2"), int)
    for text in ('{"a": 1, "a": 2}', '{"a": NaN}', "[Infinity]", "{a: 1}", "[" * 100_000):
        with pytest.raises(SurgeryError, match="not valid JSON"):
            documents.parse_json(text)


CELL = ["--cell", "n20_k3_m12_s50"]
FIT = ["fit", "--method", "raw", "--data"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["simulate", *CELL, "--output", "x.nc", "--seeds", "0", "1", "0"], "0 is given twice"),
        (["simulate", *CELL, "--output", "x.nc", "--seeds", "٣"], "whole number"),
        (["simulate", *CELL, "--output", "."], "is a folder"),
        (["simulate", *CELL, "--output", ""], "an empty name"),
        (["simulate", *CELL, "--output", "file/x.nc"], "file is a file"),
        (["simulate", "--cell", "n1000000000000_k3_m12_s50", "--output", "x"], "at most 100000000"),
        ([*FIT, ".", "--model", "m", "--codes", "c"], "is a folder"),
        ([*FIT, "file", "--model", "m", "--codes", "./m"], "another option names this file"),
        ([*FIT, "file", "--model", "file", "--codes", "c"], "another option names this file"),
        ([*FIT, "x", "--model", "m", "--codes", "c", "--threads", "9999999"], "--threads"),
        ([*FIT, "x", "--model", "m", "--codes", "c", "--settings", '{"a":1,"a":2}'], "twice"),
        ([*FIT, "x", "--model", "m", "--codes", "c", "--settings", '{"a":NaN}'], "finite"),
        (["draw", "latents", "--tables", "file", "--output-dir", "file"], "file is a file"),
        (["draw", "latents", "--tables", "a", "a", "--output-dir", "o"], "a is given twice"),
        (["tabulate", "--sweep", "{}", "--metrics", "x", "--output", "y"], "'experiment'"),
        (["tabulate", "--sweep", '{"seeds": 1}', "--metrics", "x", "--output", "y"], "seeds"),
        (["plan", "."], "is a folder"),
        (["report", "file"], "file is a file"),
        (["compare", "--tables", "x", "--output-dir", "o", "--published", "file"], "is a file"),
    ],
)
def test_arguments_that_cannot_be_are_refused_in_a_line(tmp_path, arguments, complaint):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sae_surgery", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def snakemake(*arguments):
    command = [sys.executable, "-m", "snakemake", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, encoding="utf-8"
    )


def test_snakemake_reads_files_and_command_line_so(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("settings: {sae_relu: {learning_rate: 1e-3}}\n", encoding="utf-8")
    nested = "settings={sae_relu: {epochs: 7}}"
    given = ("--config", "run=2026_11_21", "methods=null", nested, "--configfile", str(path))
    done = snakemake("--dry-run", "--printshellcmds", "models", *given)
    assert done.returncode == 0, done.stderr
    assert "results/2026_11_21/models" in done.stdout + done.stderr
    assert json.dumps({"epochs": 7, "learning_rate": 0.001}) in done.stdout + done.stderr


def test_snakemake_refuses_a_key_given_twice(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("seeds: [0]\nseeds: [1]\n", encoding="utf-8")
    done = snakemake("--dry-run", "data", "--configfile", str(path))
    assert done.returncode != 0
    assert (
        "mine.yaml: the key 'seeds' is given twice, in lines 1 and 2" in done.stdout + done.stderr
    )
