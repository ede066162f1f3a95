"""Named models: methods with settings under names of their own, so that one can stand at several.

A configuration declares them as ``models: {relu_x10: {method: sae_relu, penalty: 0.001}}``. Where a
method can be named, a model can.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sae_surgery import methods, surgeries
from sae_surgery.errors import SurgeryError, did_you_mean

OWN_KEYS = ("method", "title", "parent")
"""Keys of a model that are no settings of its method."""

RESERVED = ("audit", "codes", "data", "donor", "fresh", "model", "parent")
"""What a model cannot be called: roles of input files, and an experiment."""


@dataclass(frozen=True)
class NamedModel:
    """A method with settings under a name of its own."""

    method: str
    settings: Mapping[str, Any]
    """Those that it has beside the run's settings of its method."""
    title: str
    """Name in figures."""
    parent: str | None
    """Method or model whose model it starts from, if it starts from one."""

    @classmethod
    def of(cls, name: str, given: Mapping[str, Any]) -> "NamedModel":
        """Return a model that is declared without a fault, see `wrong_models`."""
        method = given["method"]
        settings = {key: value for key, value in given.items() if key not in OWN_KEYS}
        parent = given["parent"] or methods.trait(method, "parent")
        title = given["title"] or _title(name, given, settings)
        return cls(method, settings, title, parent)


def wrong_models(
    given: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield a line for each thing that is wrong with the models of a configuration.

    Parameters
    ----------
    given
        The models by name, with the defaults of the schema, which finds nothing wrong with them.
    settings
        Settings by method or surgery, which models have, too; those of a method that are wrong
        themselves are not to be here.
    """
    sound = {}
    for name, model in given.items():
        lines = [*_wrong_name(name), *_wrong_method(name, model)]
        lines += [] if lines else _wrong_parent(name, model, given)
        yield from lines
        if not lines:
            sound[name] = model
            yield from _wrong_settings(name, model, settings)
    yield from _same_titles(sound)


def missing_files(key: str, method: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each setting, of those below a key, that names a file which is not there."""
    for setting in methods.trait(method, "reads") or ():
        for path in methods.files_of(method, {setting: settings.get(setting, "")}):
            if not path.exists():
                yield f"{key}.{setting}: {path}: there is no such file"


def _title(name: str, given: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return the method's title and what differs: the settings, or else the name."""
    differs = [f"{key} {_shown(value)}" for key, value in settings.items()]
    differs += [f"from {given['parent']}"] if given["parent"] else []
    return ", ".join([methods.trait(given["method"], "title"), *(differs or [name])])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _wrong_name(name: str) -> Iterator[str]:
    for what, taken in (
        ("a method", methods.available()),
        ("a surgery", surgeries.available()),
        ("a word with a meaning of its own", RESERVED),
    ):
        if name in taken:
            used = ", ".join((*methods.available(), *surgeries.available(), *RESERVED))
            yield (
                f"models.{name}: {name!r} is {what}; allowed are all names of lower-case letters, "
                f"digits and _ but {used}"
            )


def _wrong_method(name: str, model: Mapping[str, Any]) -> Iterator[str]:
    method, known = model["method"], methods.available()
    if method not in known:
        hint = did_you_mean(method, known)
        allowed = ", ".join(known)
        yield f"models.{name}.method: {method!r} is unknown; {hint}allowed are {allowed}"


def _wrong_parent(
    name: str, model: Mapping[str, Any], given: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield a line if a model starts from what its method cannot start from."""
    if model["parent"] is None:
        return
    needed = methods.trait(model["method"], "parent")
    allowed = [other for other in given if given[other]["method"] == needed]
    if needed is None:
        yield f"models.{name}.parent: {model['method']} starts from no other model"
    elif model["parent"] not in (needed, *allowed):
        known = ", ".join((needed, *allowed))
        yield (
            f"models.{name}.parent: {model['parent']!r} cannot be started from; allowed are {known}"
        )


def _wrong_settings(
    name: str, model: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield a line for each setting that the method does not accept."""
    method = model["method"]
    own = {key: value for key, value in model.items() if key not in OWN_KEYS}
    try:
        if own:
            methods.load(method, {**settings.get(method, {}), **own}, f"models.{name}")
    except SurgeryError as error:
        yield from str(error).splitlines()


def _same_titles(given: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each model that figures would show under the title of another."""
    owners = {methods.trait(method, "title"): method for method in methods.available()}
    for name, model in given.items():
        title = NamedModel.of(name, model).title
        owner = owners.setdefault(title, name)
        if owner != name:
            yield f"models.{name}.title: {title!r} is the title of {owner}; give it another title"
