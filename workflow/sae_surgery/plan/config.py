"""The configuration: checked as a whole before anything runs, and expanded into cells.

The Snakefile reads it at every start, in every job of a cluster too, so this module imports nothing
heavy.
"""

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sae_surgery import figures, methods, surgeries
from sae_surgery import problems as problem_parts
from sae_surgery.errors import SurgeryError, did_you_mean
from sae_surgery.parts import wrong_type
from sae_surgery.plan import documents, examination, schemas
from sae_surgery.plan.examination import Examination
from sae_surgery.plan.models import NamedModel, missing_files, wrong_models
from sae_surgery.plan.plotting import Plotting, wrong_names
from sae_surgery.problems.base import Problem

SCHEMA_FILE = schemas.FOLDER / "config.schema.yaml"
FOLDER = Path(__file__).parents[3] / "config"

KEPT = {
    ("reference", "paper"): "reference.yaml",
    ("reference", "strict"): "strict.yaml",
    ("scaling", "paper"): "scaling.yaml",
    ("targets", "strict"): "targets.yaml",
}
"""Runs and protocols whose tables come with the project, and the configurations that made them."""

SWEEP_KEYS = ("problem", "over", "methods", "leave_out")
"""Keys of a sweep that are no settings of its problem."""

REFERENCES = ("fista_oracle", "random_dictionary")
"""Operated on beside the patients, unless a surgery says otherwise: the ceiling and the floor."""

CHANCE = "random_dictionary"
"""The level of chance, which the strict protocol has in every sweep."""

AUDIT = "audit"
"""The experiment of the strict protocol that tells what each of its corrections does alone."""

Coordinates = dict[str, int | float | str]


class ConfigError(SurgeryError):
    """Everything that is wrong with a configuration, one line a problem.

    Each begins with the key that is wrong, its path with dots, and a colon.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        several = "".join(f"\n  {problem}" for problem in self.problems)
        text = f" {self.problems[0]}" if len(self.problems) == 1 else several
        super().__init__(f"the configuration is not valid:{text}")


@dataclass(frozen=True)
class Experiment:
    """A sweep, or a surgery on its cells, expanded: what one table holds, and where it stands."""

    name: str
    over: tuple[str, ...]
    """Swept variables, the dimensions of the table."""
    methods: tuple[str, ...]
    points: tuple[tuple[Problem, Coordinates], ...]
    left_out: Mapping[str, tuple[str, ...]]
    """Cells by method on which the configuration leaves it out."""
    is_surgery: bool = False
    folder: str = ""
    """Where its metrics lie, below those of the sweeps."""

    @property
    def problem(self) -> str:
        """Name of the law of data that its cells are of."""
        return self.points[0][0].kind()

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
    models: Mapping[str, NamedModel]
    """Models that the configuration declares, by name. All that is said of a method below is said
    of a model, too."""
    plotting: Plotting
    """How figures look and what they show."""
    comparison: Mapping[str, Any]
    """When a number agrees with the published one."""
    experiments: Mapping[str, Experiment]
    examination: Examination
    """Trained SAEs that are examined on activations."""

    @property
    def cells(self) -> dict[str, Problem]:
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

        They are the run's protocol's, or another's; what the configuration gives to a method comes
        before these, and what it gives to a model before both.
        """
        kind, own = self.method_of(part), self.models[part].settings if part in self.models else {}
        strict = _trait(kind, "strict") if (protocol or self.protocol) == "strict" else None
        return {**(strict or {}), **self.settings.get(kind, {}), **own}

    def method_of(self, name: str) -> str:
        """Return the method of a model; any other name as it is."""
        return self.models[name].method if name in self.models else name

    def trait(self, name: str, attribute: str) -> Any:
        """Return a literal class attribute of a method."""
        return methods.trait(self.method_of(name), attribute)

    def parent_of(self, name: str) -> str | None:
        """Return the method whose model a method starts from, if it starts from one."""
        return self.models[name].parent if name in self.models else methods.trait(name, "parent")

    def files_of(self, name: str) -> tuple[Path, ...]:
        """Return the user's files that a method reads."""
        return methods.files_of(self.method_of(name), self.settings_of(name))

    @property
    def fittable(self) -> tuple[str, ...]:
        """Names of all methods and models."""
        return (*methods.available(), *self.models)

    def fits_anew(self, method: str) -> bool:
        """Return whether the run's protocol fits a method otherwise than the paper's does."""
        parent = self.parent_of(method)
        differs = self.settings_of(method) != self.settings_of(method, "paper")
        return differs or (parent is not None and self.fits_anew(parent))

    def sweep(self, experiment: str) -> dict[str, Any]:
        """Return what the step `tabulate` is told about an experiment, as built-in types."""
        chosen = self.experiments[experiment]
        named = {name: self._described(name) for name in chosen.methods if name in self.models}
        long_names = {
            name: long_name
            for cell, _ in chosen.points[:1]
            for name, long_name in cell.long_names.items()
            if name in chosen.over
        }
        return {
            "experiment": experiment,
            "run": self.name,
            "protocol": self.protocol,
            "over": list(chosen.over),
            "methods": list(chosen.methods),
            "seeds": list(self.seeds),
            "cells": [{"cell": cell.name, **place} for cell, place in chosen.points],
            "sizes": {
                cell.name: {"obs_dim": cell.obs_dim, "k": cell.k} for cell, _ in chosen.points
            },
            "left_out": {name: list(cells) for name, cells in chosen.left_out.items()},
            **({"models": named} if named else {}),
            **({"long_names": long_names} if long_names else {}),
        }

    def _described(self, model: str) -> dict[str, Any]:
        """Return what a table says of a model."""
        title, family = self.models[model].title, self.trait(model, "family")
        settings = self.settings_of(model)
        return {
            "method": self.method_of(model),
            "title": title,
            "family": family,
            "settings": settings,
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
    wrong = schemas.problems(config, schema())
    problems = [line for lines in wrong.values() for line in lines]
    problems += _taken(config.get("sweeps"))
    # What is sound is checked further, so that all that is wrong is listed at once.
    broken = {key.partition(".")[0] for key in wrong}
    sound = {key: config[key] for key in config if key not in broken}
    config = _with_defaults(sound, schema())
    problems += _wrong_names(config, sound.get("sweeps", {}), broken)
    wrong_parts = _wrong_settings(config["settings"])
    problems += [line for lines in wrong_parts.values() for line in lines]
    settings = {name: each for name, each in config["settings"].items() if name not in wrong_parts}
    problems += wrong_models(config["models"], settings)
    problems += examination.wrong(config["examine"])
    if problems:
        raise ConfigError(problems)
    models = {name: NamedModel.of(name, given) for name, given in config["models"].items()}
    chosen = config["methods"] or (*methods.usual(), *models)
    experiments, problems = {}, [] if config["redraw"] else [*_missing_files(config)]
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
    swept = {name for each in experiments.values() for name in each.over}
    swept |= {
        surgeries.trait(name, "step") for name in experiments if name in surgeries.available()
    }
    problems += _unknown(
        "plotting.panels", config["plotting"]["panels"], sorted(filter(None, swept))
    )
    if problems:
        raise ConfigError(problems)
    run = Run(
        name=config["run"],
        protocol=config["protocol"],
        seeds=tuple(config["seeds"]),
        device=config["device"],
        redraw=config["redraw"],
        settings=config["settings"],
        models=models,
        plotting=Plotting(**config["plotting"]),
        comparison=config["comparison"],
        experiments=experiments,
        examination=Examination.of(config["examine"]),
    )
    _require_own_name(run)
    return run


def complete(key: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the value of one key by itself and fill in its defaults.

    Raises
    ------
    ConfigError
        If anything is wrong with it.
    """
    below = schema()["properties"][key]
    wrong = schemas.problems(given, below, key)
    if wrong:
        raise ConfigError(line for lines in wrong.values() for line in lines)
    return _with_defaults(given, below)


def _as_typed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what Snakemake does to `--config seeds=[0,1] redraw=true`: it reads these as texts."""
    typed = dict(config)
    if isinstance(typed.get("seeds"), list):
        typed["seeds"] = [
            int(seed) if isinstance(seed, str) and seed.isdecimal() else seed
            for seed in typed["seeds"]
        ]
    if typed.get("redraw") in ("true", "false"):
        typed["redraw"] = typed["redraw"] == "true"
    return typed


def schema() -> dict[str, Any]:
    """Return the schema of a configuration."""
    return schemas.schema("config")


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


def _wrong_names(
    config: Mapping[str, Any], given: Mapping[str, Any], broken: Container[str] = ()
) -> Iterator[str]:
    """Yield a line for each name of a method, sweep, problem or surgery that does not exist.

    `given` are the sweeps without their defaults. Keys that are `broken` are not here, so what
    refers to them is left alone.
    """
    known = None if "models" in broken else (*methods.available(), *config["models"])
    yield from _unknown("methods", config["methods"], known)
    for name in config["settings"]:
        if name in config["models"]:
            yield f"settings.{name}: {name!r} is a model; its settings stand in models.{name}"
        else:
            parts = (*methods.available(), *surgeries.available())
            yield from _unknown("settings", [name], parts)
    if known is not None:
        families = dict.fromkeys(_trait(name, "family") for name in methods.available())
        choosable = figures.with_chosen_metrics()
        yield from wrong_names(config["plotting"], known, [*families], choosable)
    yield from _unknown("surgeries.patients", config["surgeries"]["patients"], known)
    cells_of = config["surgeries"]["cells_of"]
    if isinstance(cells_of, Mapping):
        yield from _unknown("surgeries.cells_of", cells_of, surgeries.available())
    for name, sweep in config["sweeps"].items():
        yield from _wrong_variables(f"sweeps.{name}", sweep, given.get(name, {}))
        yield from _unknown(f"sweeps.{name}.methods", sweep["methods"], known)
        yield from _unknown(f"sweeps.{name}.leave_out", sweep["leave_out"], known)
    if "sweeps" not in broken:
        yield from _unknown("surgeries.cells_of", _cells_of(config).values(), config["sweeps"])
        if "surgeries" not in broken and "protocol" not in broken:
            yield from _unknown("experiments", config["experiments"], _experiments(config))


def _unknown(key: str, names: Iterable[str] | None, known: Iterable[str] | None) -> Iterator[str]:
    """Yield a line for each name that is not known; none where what is known could not be read."""
    for name in names or ():
        if known is not None and name not in known:
            hint = did_you_mean(name, known)
            yield f"{key}: {name!r} is unknown; {hint}allowed are {', '.join(known)}"


def _taken(sweeps: Any) -> Iterator[str]:
    """Yield a line for each sweep named as another experiment is, or a figure of other ones."""
    for name in sweeps if isinstance(sweeps, Mapping) else ():
        taken = None
        if name in surgeries.available():
            taken = "a surgery"
        elif name == AUDIT:
            taken = "the audit of the strict protocol"
        elif name in figures.available() and figures.inputs(name) != (name,):
            taken = "a figure of other experiments"
        if taken:
            yield f"sweeps.{name}: {name!r} is {taken}; give the sweep another name"


def _require_own_name(run: Run) -> None:
    """Raise ConfigError if a run would write other tables over those that come with the project."""
    kept = {name for name, _ in KEPT}
    if run.redraw or run.name not in kept:
        return
    source = KEPT.get((run.name, run.protocol))
    allowed = {}
    if source is not None:
        shipped = load(documents.read_yaml(FOLDER / source, schema()).value)
        if (shipped.settings, shipped.models) == (run.settings, run.models):
            allowed = {name: shipped.sweep(name) for name in shipped.experiments}
    other = [name for name in run.experiments if run.sweep(name) != allowed.get(name)]
    if other:
        files = ", ".join(f"config/{file}" for (name, _), file in KEPT.items() if name == run.name)
        raise ConfigError(
            [
                f"run: {run.name!r} is the run of {files}, whose tables come with the project; "
                f"{', '.join(other)} would be written over them with other content: "
                "give yours another name"
            ]
        )


def _wrong_settings(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return, by method or surgery, what it does not accept of its settings, one line each.

    Only the part itself knows what it accepts. This imports it, PyTorch and all, which is why
    configurations that keep the paper's settings are read faster.
    """
    found = {}
    for name, given in settings.items():
        for registry in (methods, surgeries):
            if given and name in registry.available():
                try:
                    registry.load(name, given)
                except SurgeryError as error:
                    found[name] = str(error).splitlines()
    return found


def _missing_files(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each file of the user that a method is to read and that is not there."""
    for name, given in config["settings"].items():
        if name in methods.available():
            yield from missing_files(f"settings.{name}", name, given)
    for name, given in config["models"].items():
        yield from missing_files(f"models.{name}", given["method"], given)


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
        kinds = {each: config["models"].get(each, {}).get("method", each) for each in cells.methods}
        patients = [each for each in kinds if methods.trait(kinds[each], "family") == "sae"]
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
    key, kind = f"sweeps.{name}", problem_parts.kind(sweep["problem"])
    variables = _variables(sweep, kind)
    problems = [
        f"{key}.{variable}: {values} has several values; name it in {key}.over, "
        f"which is {sweep['over']}, or leave one"
        for variable, values in variables.items()
        if len(values) > 1 and variable not in sweep["over"]
    ]
    problems += [
        f"{key}.over: {variable!r} has no values here; those that have are {', '.join(variables)}"
        for variable in sweep["over"]
        if variable not in variables
    ]
    compared = tuple(each for each in chosen if each in (sweep["methods"] or chosen))
    if not compared:
        problems.append(f"{key}.methods: none of {sweep['methods']} is among methods: {chosen}")
    points: dict[Problem, Coordinates] = {}
    for values in itertools.product(*variables.values()):
        place = dict(zip(variables, values, strict=True))
        swept = {name: place[name] for name in sweep["over"] if name in place}
        try:
            points.setdefault(kind.at(place), swept)
        except (ValueError, SurgeryError) as error:
            given = ", ".join(f"{variable}={place[variable]}" for variable in place)
            problems.append(f"{key}: infeasible cell {given}: {error}")
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


def _variables(sweep: Mapping[str, Any], kind: type[Problem]) -> dict[str, list[Any]]:
    """Return the values of each variable of a sweep's problem; 0 is 0.0 where numbers are real.

    Samples are counted in one of two ways: the variable that is not used is left out.
    """
    found = {}
    for variable, default in kind.variables().items():
        value = sweep.get(variable, default)
        values = value if isinstance(value, list) else [value]
        found[variable] = (
            [_as_real(each) for each in values] if isinstance(default, float) else values
        )
    if found.get("samples_per_latent", [None]) != [None]:
        del found["n_samples"]
    else:
        found.pop("samples_per_latent", None)
    return found


def _as_real(value: Any) -> Any:
    """Return an integer as the real number that it equals, so that both are one cell."""
    return float(value) if type(value) is int and abs(value) < 2**53 else value


def _wrong_variables(key: str, sweep: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each thing wrong with the settings that a sweep gives its problem.

    `own` is the sweep as it is given, `sweep` with the defaults of the paper's problem filled in.
    """
    if sweep["problem"] not in problem_parts.available():
        yield from _unknown(f"{key}.problem", [sweep["problem"]], problem_parts.available())
        return
    defaults = problem_parts.kind(sweep["problem"]).variables()
    for name in own:
        if name not in (*SWEEP_KEYS, *defaults):
            hint = did_you_mean(name, (*SWEEP_KEYS, *defaults))
            allowed = ", ".join((*SWEEP_KEYS, *defaults))
            yield f"{key}: unknown key {name!r}; {hint}allowed are {allowed}"
    for index, name in enumerate(sweep["over"]):
        yield from _unknown(f"{key}.over.{index}", [name], defaults)
    checked_by_schema = schema()["properties"]["sweeps"]["additionalProperties"]["properties"]
    given = {name: own[name] for name in own if name in defaults and name not in checked_by_schema}
    yield from _wrong_values(key, given, defaults)
    for method, where in sweep["leave_out"].items():
        yield from _unknown(f"{key}.leave_out.{method}", where, defaults)
        yield from _wrong_values(f"{key}.leave_out.{method}", where, defaults)


def _wrong_values(key: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each value, alone or in a list, that cannot stand where its default does."""
    for name in (name for name in given if name in defaults):
        values = given[name] if isinstance(given[name], list) else [given[name]]
        for index, value in enumerate(values):
            if defaults[name] is not None:
                yield from wrong_type(f"{key}.{name}.{index}", value, defaults[name])


def _wrong_places(key: str, sweep: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each place at which a method is to be left out that the sweep has not."""
    for method, where in sweep["leave_out"].items():
        for variable, values in where.items():
            swept = (variable in sweep["over"] and sweep.get(variable)) or []
            for value in values:
                if value not in swept:
                    allowed = f"values swept are {swept}" if swept else f"{variable} is not swept"
                    yield f"{key}.{method}.{variable}: {value} is not there; {allowed}"


def _is_at(place: Coordinates, where: Mapping[str, Sequence[float]]) -> bool:
    return all(place[variable] in values for variable, values in where.items())
