"""A short run of the chaos that `chaos.py` brings about by hand."""

from chaos import torment


def test_a_few_deaths_at_random_change_nothing(cluster, tmp_path):
    assert len(torment(cluster, tmp_path, kills=5, seed=1)) == 5
