"""Weights of the l1 norm that no solver can take are refused with the settings."""

import pytest

from sae_surgery import methods, surgeries
from sae_surgery.errors import SurgeryError

REFUSED = [
    (methods, "dl_scaled", {"first_penalty": 1e300}, "1e-20 to 1e"),
    (methods, "dl_scaled", {"last_penalty": 1e-300}, "1e-20 to 1e"),
    (methods, "dl_fista", {"solver": "exact", "lam": 1e-44}, "1e-30 to 1e"),
    (methods, "dl_fista", {"lam": 1e300}, "0 to 1e"),
    (methods, "fista_oracle", {"solver": "exact", "lam": 1e44}, "1e-30 to 1e"),
    (methods, "lista_oracle", {"threshold": 1e300}, "0 to 1e"),
    (surgeries, "lambda_sensitivity", {"solver": "exact", "lams": (1e-44, 0.1)}, "1e-30 to 1e"),
    (surgeries, "lambda_sensitivity", {"lams": (0.1, 1e44)}, "0 to 1e"),
    (surgeries, "frozen_decoder", {"lam": 1e300}, "0 to 1e"),
    (surgeries, "warm_start_encoder", {"lam": 1e300}, "0 to 1e"),
]


@pytest.mark.parametrize(("package", "name", "settings", "allowed"), REFUSED)
def test_a_penalty_out_of_range_is_refused_with_what_is_allowed(package, name, settings, allowed):
    with pytest.raises(SurgeryError) as refused:
        package.load(name, settings)
    assert f"settings.{name}: " in str(refused.value)
    assert f"must be a number from {allowed}" in str(refused.value)


@pytest.mark.parametrize(
    ("package", "name", "settings"),
    [
        (methods, "dl_fista", {"lam": 0.0}),
        (methods, "dl_fista", {"solver": "exact", "lam": 1e-30}),
        (methods, "dl_scaled", {"first_penalty": 1e20, "last_penalty": 1e-20}),
        (surgeries, "warm_start_encoder", {"lam": 1e30}),
    ],
)
def test_the_bounds_themselves_are_allowed(package, name, settings):
    assert package.load(name, settings)
