"""The strict protocol beside the paper's: what is shared, and what is made anew."""

from project import CELL

CHANGES = {"methods": ["fista_oracle", "sae_relu", "dl_lista"], "protocol": "strict"}
SURGERIES = {"surgeries": {"cells_of": "latents"}, "experiments": ["audit", "frozen_decoder"]}


def test_models_are_shared_where_training_does_not_differ(finished):
    finished.configure(protocol="strict")
    planned = finished.planned()
    anew = {f"fit strict/{name}" for name in ("fista_oracle", "pca", "random_dictionary")}
    encoded = {f"encode codes/{name}" for name in ("sae_relu", "linear_probe", "raw")}
    assert {job for job in planned if job.startswith("fit ")} == anew
    assert {job for job in planned if job.startswith("encode ")} == encoded
    assert {"renew", "evaluate"} <= planned


def test_the_parent_of_a_method_is_that_of_its_protocol(fresh):
    fresh.configure(**CHANGES)
    shown = fresh.succeed("--dry-run")
    assert f"results/tiny/strict/models/{CELL}/dl_fista.nc" in shown
    assert f"results/tiny/models/{CELL}/dl_fista.nc" not in shown


def test_the_audit_needs_both_protocols(fresh):
    fresh.configure(**CHANGES, **SURGERIES)
    planned = fresh.planned()
    for name in ("fista_oracle", "dl_lista", "random_dictionary"):
        assert {f"fit {name}", f"fit strict/{name}"} <= planned
        crossed = {"by_paper_models", "paper_samples"}
        assert {f"encode crossed/{each}/{name}" for each in crossed} <= planned
        assert f"encode codes/{name}" not in planned
    assert {"fit sae_relu", "encode codes/sae_relu", "audit", "draw audit"} <= planned
    assert "fit strict/sae_relu" not in planned


def test_under_the_paper_s_protocol_nothing_is_strict(fresh):
    fresh.configure(**CHANGES | {"protocol": "paper"})
    assert "results/tiny/strict" not in fresh.succeed("--dry-run")
