"""The configuration: checked as a whole before anything runs, and expanded into cells.

The Snakefile reads it at every start, in every job of a cluster too, so this module imports nothing
heavy.
"""

import difflib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

from sae_surgery import methods, surgeries
from sae_surgery.errors import SurgeryError
from sae_surgery.problem import Cell, clipped_dim, compressed_sensing_dim

SCHEMA_FILE = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"
SWEEP_VARIABLES = ("n_latents", "k", "n_samples", "samples_per_latent", "obs_dim_factor")

REFERENCES = ("fista_oracle", "random_dictionary")
"""Operated on beside the patients, unless a surgery says otherwise: the ceiling and the floor."""

CHANCE = "random_dictionary"
"""The level of chance, which the strict protocol has in every sweep."""

AUDIT = "audit"
"""The experiment of the strict protocol that tells what each of its corrections does alone."""

Coordinates = dict[str, int | float]


class ConfigError(SurgeryError):
    """Everything that is wrong with a configuration, one line a problem."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"the configuration is not valid:\n{lines}")


@dataclass(frozen=True)
class Experiment:
    """A sweep, or a surgery on its cells, expanded: what one table holds, and where it stands."""

    name: str
    over: tuple[str, ...]
    """Swept variables, the dimensions of the table."""
    methods: tuple[str, ...]
    points: tuple[tuple[Cell, Coordinates], ...]
    left_out: Mapping[str, tuple[str, ...]]
    """Cells by method on which the configuration leaves it out."""
    is_surgery: bool = False
    folder: str = ""
    """Where its metrics lie, below those of the sweeps."""

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells."""
        return tuple(cell.name for cell, _ in self.points)

    def methods_on(self, cell: str) -> tuple[str, ...]:
        """Return the methods on a cell; none if it is no cell of the experiment."""
        if cell not in self.cells:
            return ()
        return tuple(name for name in self.methods if cell not in self.left_out.get(name, ()))


@dataclass(frozen=True)
class Run:
    """A valid configuration."""

    name: str
    protocol: str
    seeds: tuple[int, ...]
    device: str
    redraw: bool
    """Whether nothing is computed: figures are drawn from tables that are there."""
    settings: Mapping[str, Mapping[str, Any]]
    """Settings by method or surgery that the configuration gives."""
    comparison: Mapping[str, Any]
    """When a number agrees with the published one."""
    experiments: Mapping[str, Experiment]

    @property
    def cells(self) -> dict[str, Cell]:
        """All cells by name, each once whichever experiments share it."""
        points = (point for each in self.experiments.values() for point in each.points)
        return {cell.name: cell for cell, _ in points}

    @property
    def surgeries(self) -> dict[str, Experiment]:
        """The experiments that are surgeries."""
        return {name: each for name, each in self.experiments.items() if each.is_surgery}

    def methods_on(self, cell: str) -> tuple[str, ...]:
        """Return the methods that any sweep compares on a cell."""
        sweeps = (each for each in self.experiments.values() if not each.is_surgery)
        return _on(cell, sweeps)

    def fitted_on(self, cell: str) -> tuple[str, ...]:
        """Return the methods that are fitted on a cell: to be compared there, or operated on."""
        return _on(cell, self.experiments.values())

    def settings_of(self, part: str, protocol: str | None = None) -> dict[str, Any]:
        """Return the settings of a method or surgery that differ from its defaults.

        They are the run's protocol's, or another's, and what the configuration gives comes first.
        """
        strict = _trait(part, "strict") if (protocol or self.protocol) == "strict" else None
        return {**(strict or {}), **self.settings.get(part, {})}

    def fits_anew(self, method: str) -> bool:
        """Return whether the run's protocol fits a method otherwise than the paper's does."""
        return self.settings_of(method) != self.settings_of(method, "paper")

    def sweep(self, experiment: str) -> dict[str, Any]:
        """Return what the step `tabulate` is told about an experiment, as built-in types."""
        chosen = self.experiments[experiment]
        return {
            "experiment": experiment,
            "run": self.name,
            "protocol": self.protocol,
            "over": list(chosen.over),
            "methods": list(chosen.methods),
            "seeds": list(self.seeds),
            "cells": [{"cell": cell.name, **place} for cell, place in chosen.points],
            "left_out": {name: list(cells) for name, cells in chosen.left_out.items()},
        }


def _on(cell: str, experiments: Iterable[Experiment]) -> tuple[str, ...]:
    """Return the methods that any of the experiments has on a cell."""
    return tuple(dict.fromkeys(name for each in experiments for name in each.methods_on(cell)))


def load(config: Mapping[str, Any]) -> Run:
    """Check a configuration and expand it.

    Raises
    ------
    ConfigError
        If anything is wrong with it; lists all problems, each with its key, its value and what is
        allowed.
    """
    config = _as_typed(config)
    problems = [_explain(error) for error in _validator().iter_errors(config)]
    if problems:
        raise ConfigError(sorted(problems))
    config = _with_defaults(config, _schema())
    problems = [*_wrong_names(config), *_wrong_settings(config["settings"])]
    if problems:
        raise ConfigError(problems)
    chosen = config["methods"] or methods.available()
    experiments, problems = {}, []
    for name in config["experiments"] or _experiments(config):
        try:
            if name in config["sweeps"]:
                strict = config["protocol"] == "strict"
                experiments[name] = _expand(name, config["sweeps"][name], chosen, strict)
            elif name == AUDIT:
                experiments[name] = _audit(config, chosen)
            else:
                experiments[name] = _operate(name, config, chosen)
        except ConfigError as error:
            problems += error.problems
    problems += [
        f"{each.name}: sweeps leave out all of {', '.join(each.methods)} on {cell}"
        for each in experiments.values()
        for cell in each.cells
        if not each.methods_on(cell)
    ]
    if problems:
        raise ConfigError(problems)
    return Run(
        name=config["run"],
        protocol=config["protocol"],
        seeds=tuple(config["seeds"]),
        device=config["device"],
        redraw=config["redraw"],
        settings=config["settings"],
        comparison=config["comparison"],
        experiments=experiments,
    )


def complete(key: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the value of one key by itself and fill in its defaults.

    Raises
    ------
    ConfigError
        If anything is wrong with it.
    """
    below = _schema()["properties"][key]
    errors = _validator().evolve(schema={"properties": {key: below}}).iter_errors({key: given})
    problems = [_explain(error) for error in errors]
    if problems:
        raise ConfigError(sorted(problems))
    return _with_defaults(given, below)


def _as_typed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what `snakemake --config seeds=[0,1] redraw=true` does: it reads these as texts."""
    typed = dict(config)
    if isinstance(typed.get("seeds"), list):
        typed["seeds"] = [
            int(seed) if isinstance(seed, str) and seed.isdecimal() else seed
            for seed in typed["seeds"]
        ]
    if typed.get("redraw") in ("true", "false"):
        typed["redraw"] = typed["redraw"] == "true"
    return typed


@cache
def _schema() -> dict[str, Any]:
    return yaml.safe_load(SCHEMA_FILE.read_bytes())


@cache
def _validator() -> Draft202012Validator:
    """Return the schema's validator; integers must be written as such, 5.0 is none."""
    checker = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    return validators.extend(Draft202012Validator, type_checker=checker)(_schema())


def _explain(error: ValidationError) -> str:
    """Say which key is wrong, its value, and what is allowed."""
    key = ".".join(str(part) for part in error.absolute_path) or "configuration"
    limit, value = error.validator_value, error.instance
    match error.validator:
        case "not":
            return f"{key}: only one of {', '.join(limit['required'])} can be given"
        case "additionalProperties":
            unknown = [name for name in value if name not in error.schema["properties"]]
            allowed = ", ".join(error.schema["properties"])
            return f"{key}: unknown key {', '.join(map(repr, unknown))}; allowed are {allowed}"
        case "required":
            missing = [name for name in limit if name not in value]
            return f"{key}: the key {', '.join(map(repr, missing))} is missing"
        case "type":
            names = " or ".join([limit] if isinstance(limit, str) else limit)
            return f"{key}: {value!r} is not of type {names}"
        case "enum":
            return f"{key}: {value!r} is unknown; allowed are {', '.join(map(str, limit))}"
        case "minItems" | "minProperties":
            return f"{key}: {value!r} is empty; at least one entry is needed"
        case "uniqueItems":
            twice = {repr(item) for index, item in enumerate(value) if item in value[:index]}
            return f"{key}: {value!r} holds {', '.join(sorted(twice))} more than once"
        case "minimum":
            return f"{key}: {value!r} is too small; allowed are numbers from {limit}"
        case "exclusiveMinimum":
            return f"{key}: {value!r} is too small; allowed are numbers above {limit}"
        case "maximum":
            return f"{key}: {value!r} is too large; allowed are numbers up to {limit}"
        case "pattern":
            return f"{key}: {value!r} is not a valid name; allowed are names that match {limit}"
    return f"{key}: {error.message}"


def _with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return `value` with the schema's default for each key that it lacks."""
    if not isinstance(value, Mapping):
        return value
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    complete = {key: below["default"] for key, below in properties.items()} | dict(value)
    for key, entry in complete.items():
        below = properties.get(key, others)
        complete[key] = _with_defaults(entry, below) if isinstance(below, Mapping) else entry
    return complete


def _wrong_names(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each name of a method, sweep or surgery that does not exist."""
    known = methods.available()
    yield from _unknown("methods", config["methods"], known)
    yield from _unknown("settings", config["settings"], (*known, *surgeries.available()))
    yield from _unknown("experiments", config["experiments"], _experiments(config))
    yield from _unknown("surgeries.patients", config["surgeries"]["patients"], known)
    cells_of = config["surgeries"]["cells_of"]
    if isinstance(cells_of, Mapping):
        yield from _unknown("surgeries.cells_of", cells_of, surgeries.available())
    yield from _unknown("surgeries.cells_of", _cells_of(config).values(), config["sweeps"])
    for name, sweep in config["sweeps"].items():
        yield from _unknown(f"sweeps.{name}.methods", sweep["methods"], known)
        yield from _unknown(f"sweeps.{name}.leave_out", sweep["leave_out"], known)


def _unknown(key: str, names: Iterable[str] | None, known: Iterable[str]) -> Iterator[str]:
    for name in names or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            yield f"{key}: {name!r} is unknown; {hint}allowed are {', '.join(known)}"


def _wrong_settings(settings: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each method and surgery whose settings it does not accept.

    Only the part itself knows what it accepts. This imports it, PyTorch and all, which is why
    configurations that keep the paper's settings are read faster.
    """
    for name, given in settings.items():
        for registry in (methods, surgeries):
            if given and name in registry.available():
                try:
                    registry.load(name, given)
                except SurgeryError as error:
                    yield str(error)


def _trait(part: str, attribute: str) -> Any:
    """Return a literal class attribute of a method or surgery."""
    registry = methods if part in methods.available() else surgeries
    return registry.trait(part, attribute)


def _cells_of(config: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the sweep on whose cells each surgery is done; those that are not done have none."""
    cells_of = config["surgeries"]["cells_of"] or {}
    if isinstance(cells_of, str):
        names = surgeries.available()
        return {name: cells_of for name in names if not surgeries.trait(name, "on_request")}
    return cells_of


def _experiments(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of all experiments: sweeps, and surgeries that there are cells for.

    The strict protocol has one more where there are such cells, the audit.
    """
    operated = _cells_of(config)
    audit = (AUDIT,) if operated and config["protocol"] == "strict" else ()
    return (*config["sweeps"], *operated, *audit)


def _operate(name: str, config: Mapping[str, Any], chosen: Sequence[str]) -> Experiment:
    """Return a surgery on the cells of a sweep: on its patients, and on those it is compared with.

    Raises
    ------
    ConfigError
        If the sweep is not valid.
    """
    sweep = _cells_of(config)[name]
    strict = config["protocol"] == "strict"
    cells = _expand(sweep, config["sweeps"][sweep], chosen, strict)
    patients = config["surgeries"]["patients"]
    if patients is None:
        patients = [each for each in cells.methods if methods.trait(each, "family") == "sae"]
    references = surgeries.trait(name, "references")
    references = REFERENCES if references is None else references
    operated = tuple(dict.fromkeys([*patients, *references]))
    left_out = {each: where for each, where in cells.left_out.items() if each in operated}
    return Experiment(name, cells.over, operated, cells.points, left_out, True, f"{name}/")


def _audit(config: Mapping[str, Any], chosen: Sequence[str]) -> Experiment:
    """Return the audit of the first sweep that is operated on, of all its methods.

    Raises
    ------
    ConfigError
        If the sweep is not valid.
    """
    sweep = next(iter(_cells_of(config).values()))
    cells = _expand(sweep, config["sweeps"][sweep], chosen, strict=True)
    return replace(cells, name=AUDIT, folder=f"{AUDIT}/")


def _expand(
    name: str, sweep: Mapping[str, Any], chosen: Iterable[str], strict: bool = False
) -> Experiment:
    """Return a sweep's cells; under the strict protocol it has the level of chance.

    Raises
    ------
    ConfigError
        If a variable has several values and is not swept or is swept and has none, a cell is
        infeasible, what is to be left out is not there, or no method is left.
    """
    key = f"sweeps.{name}"
    variables = _variables(sweep)
    problems = [
        f"{key}.{variable}: {sweep[variable]} has several values; name it in {key}.over, "
        f"which is {sweep['over']}, or leave one"
        for variable in variables
        if len(sweep[variable]) > 1 and variable not in sweep["over"]
    ]
    problems += [
        f"{key}.over: {variable!r} has no values here; those that have are {', '.join(variables)}"
        for variable in sweep["over"]
        if variable not in variables
    ]
    compared = tuple(each for each in chosen if each in (sweep["methods"] or chosen))
    if not compared:
        problems.append(f"{key}.methods: none of {sweep['methods']} is among methods: {chosen}")
    points: dict[Cell, Coordinates] = {}
    for values in itertools.product(*(sweep[variable] for variable in variables)):
        place = dict(zip(variables, values, strict=True))
        try:
            cell = _cell(**place, clip=sweep["clip_obs_dim"], norm_ratio=sweep["norm_ratio"])
        except ValueError as error:
            given = ", ".join(f"{variable}={value}" for variable, value in place.items())
            problems.append(f"{key}: infeasible cell {given}: {error}")
            continue
        points.setdefault(cell, {name: place[name] for name in sweep["over"] if name in place})
    problems += _wrong_places(f"{key}.leave_out", sweep)
    if problems:
        raise ConfigError(problems)
    if strict and CHANCE not in compared:
        compared = (*compared, CHANCE)
    left_out = {
        method: tuple(cell.name for cell, place in points.items() if _is_at(place, where))
        for method, where in sweep["leave_out"].items()
        if method in compared
    }
    return Experiment(name, tuple(sweep["over"]), compared, tuple(points.items()), left_out)


def _variables(sweep: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the variables that a sweep has values for: samples are counted in one of two ways."""
    unused = "n_samples" if sweep["samples_per_latent"] else "samples_per_latent"
    return tuple(variable for variable in SWEEP_VARIABLES if variable != unused)


def _wrong_places(key: str, sweep: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each place at which a method is to be left out that the sweep has not."""
    for method, where in sweep["leave_out"].items():
        for variable, values in where.items():
            swept = (variable in sweep["over"] and sweep[variable]) or []
            for value in values:
                if value not in swept:
                    allowed = f"values swept are {swept}" if swept else f"{variable} is not swept"
                    yield f"{key}.{method}.{variable}: {value} is not there; {allowed}"


def _is_at(place: Coordinates, where: Mapping[str, Sequence[float]]) -> bool:
    return all(place[variable] in values for variable, values in where.items())


def _cell(
    n_latents: int,
    k: int,
    obs_dim_factor: float,
    clip: bool,
    norm_ratio: int,
    n_samples: int | None = None,
    samples_per_latent: float | None = None,
) -> Cell:
    obs_dim = (clipped_dim if clip else compressed_sensing_dim)(n_latents, k, obs_dim_factor)
    # Half of the samples are to learn from.
    n_samples = n_samples or 2 * round(samples_per_latent * n_latents)
    return Cell(n_latents, k, obs_dim, n_samples, norm_ratio)
