"""The source digest follows the meaning of the code that a step imports, and nothing else."""

import pytest

from sae_surgery.machine import provenance

FILES = {
    "__init__.py": "",
    "step.py": "from toy import shared\nfrom toy.lazy import late\n\nresult = shared.x\n",
    "shared.py": '"""Doc."""\n\nx = 1  # one\n',
    "lazy.py": "def late():\n    from .deep import thing\n\n    return thing\n",
    "deep.py": "thing = 3\n",
    "stranger.py": "y = 5\n",
}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Give a package of its own: a function that edits its files and returns the digest."""
    monkeypatch.setattr(provenance, "PACKAGE", "toy")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    def digest(**edited):
        for name, text in edited.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        for cached in (provenance._tree, provenance._imports, provenance._meaning):
            cached.cache_clear()
        return provenance.source_digest("toy.step")

    yield digest
    for cached in (provenance._tree, provenance._imports, provenance._meaning):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("step", FILES["step.py"] + "# a remark\n"),
        ("shared", '"""Another doc."""\nx = 1\n'),
        ("shared", '"""Doc."""\n\n\nx = (1)\n'),
        ("stranger", "y = 6\n"),
    ],
)
def test_what_does_not_matter(toy, module, text):
    assert toy() == toy(**{module: text})


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("step", FILES["step.py"].replace("shared.x", "-shared.x")),
        ("shared", "x = 2\n"),
        ("lazy", FILES["lazy.py"].replace("return thing", "return -thing")),
        ("deep", "thing = 4\n"),
    ],
)
def test_what_matters(toy, module, text):
    assert toy() != toy(**{module: text})


def test_reverting_gives_the_old_digest(toy):
    before = toy()
    assert toy(shared="x = 2\n") != before
    assert toy(shared=FILES["shared.py"]) == before


def test_unknown_module_is_an_error(toy):
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        provenance.source_digest("toy.nowhere")


def test_a_method_is_seen_by_its_own_digest_only():
    fit = "sae_surgery.steps.fit"
    digests = {provenance.source_digest(fit, f"sae_surgery.methods.{m}") for m in ("raw", "pca")}
    assert len(digests) == 2


@pytest.mark.parametrize("kind", ["csv", "jinja"])
def test_data_beside_a_module_are_seen_by_their_names_and_content(toy, tmp_path, kind):
    facts = tmp_path / f"facts.{kind}"
    facts.write_text("a,b", encoding="utf-8")
    before = toy()
    (tmp_path / "notes.md").write_text("of no matter", encoding="utf-8")
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart" / facts.name).write_text(
        "of modules that are not imported", encoding="utf-8"
    )
    assert toy() == before
    facts.write_text("a,c", encoding="utf-8")
    assert toy() != before
    facts.write_text("a,b", encoding="utf-8")
    assert toy() == before
    facts.rename(tmp_path / f"others.{kind}")
    assert toy() != before


def test_what_pages_read_is_in_their_digest():
    """Every data file of the package is of a kind, and beside a module, that the digest sees."""
    ignored = {".py", ".md", ".yaml"}  # claims have a digest of their own
    files = [path for path in provenance.ROOT.rglob("*") if path.is_file()]
    data = [
        path for path in files if path.suffix not in ignored and "__pycache__" not in path.parts
    ]
    read = {"comparison", "examination", "index", "plan", "published", "shared"}
    assert {path.parent.name for path in data} == read
    assert all(any(path.match(kind) for kind in provenance.DATA) for path in data)
