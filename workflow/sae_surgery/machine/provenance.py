"""Which source a result depends on, as a digest that only a change of meaning changes.

Snakemake does not see the modules that a step imports (nor should it rerun for a touched file or a
reworded comment), so every rule carries the digest of its step's source as a parameter. Versions of
libraries are in none: each result says with which it was made.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "sae_surgery"
ROOT = Path(__file__).parents[1]
DATA = ("*.csv", "*.jinja")
"""What modules read that lies beside them."""


def source_digest(*modules: str) -> str:
    """Return a digest of the named modules, of all package modules that they import, and of data.

    Comments, layout and docstrings do not count. Imports inside functions do, and so do the names
    and bytes of the data files in the folder of a module.

    Raises
    ------
    ModuleNotFoundError
        If a named module is not part of this package.
    """
    for module in modules:
        if _path(module) is None:
            raise ModuleNotFoundError(f"{module} is not a module of {PACKAGE}")
    found: set[str] = set()
    pending = list(modules)
    while pending:
        module = pending.pop()
        if module not in found:
            found.add(module)
            pending.extend(_imports(module))
    text = "\n".join(f"{module}\n{_meaning(module)}" for module in sorted(found))
    digest = hashlib.sha256(text.encode())
    folders = {_path(module).parent for module in found}
    for path in sorted(path for each in folders for kind in DATA for path in each.glob(kind)):
        digest.update(f"\n{path.relative_to(ROOT).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _path(module: str) -> Path | None:
    """Return the file of a module of this package, None for anything else."""
    head, *rest = module.split(".")
    if head != PACKAGE:
        return None
    base = ROOT.joinpath(*rest)
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_bytes())


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Return the package's modules that `module` names in import statements."""
    names = []
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    if _is_loaded_by_name(module):
        names += [f"{module}.{path.stem}" for path in sorted(_path(module).parent.glob("*.py"))]
    return tuple(name for name in names if _path(name) is not None)


def _is_loaded_by_name(module: str) -> bool:
    """Whether a package says that what is in its files decides which of its modules is loaded."""
    assigned = (node.targets for node in _tree(module).body if isinstance(node, ast.Assign))
    return any(getattr(each, "id", "") == "LOADED_BY_NAME" for (each, *_) in assigned)


def _absolute(node: ast.ImportFrom, module: str) -> str:
    """Return the full name of the module that a `from … import` in `module` starts from."""
    if node.level == 0:
        return node.module
    is_package = _path(module).name == "__init__.py"
    parents = module.split(".")[
        : None if is_package and node.level == 1 else is_package - node.level
    ]
    return ".".join([*parents, node.module] if node.module else parents)


@cache
def _meaning(module: str) -> str:
    """Return the module's code without comments, layout and docstrings."""
    tree = ast.parse(_path(module).read_bytes())
    for node in ast.walk(tree):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
