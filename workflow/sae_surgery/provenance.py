"""Which source a result depends on, as a digest that only a change of meaning changes.

Snakemake does not see the modules that a step imports (nor should it rerun for a touched file or a
reworded comment), so every rule carries the digest of its step's source as a parameter.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "sae_surgery"
ROOT = Path(__file__).parent


def source_digest(*modules: str) -> str:
    """Return a digest of the named modules and of all package modules that they import.

    Comments, layout and docstrings do not count. Imports inside functions do.

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
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def data_digest(*patterns: str) -> str:
    """Return a digest of the package's files that match the patterns and are no source."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
        digest.update(f"{path.relative_to(ROOT).as_posix()}\n".encode() + path.read_bytes())
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
    return tuple(name for name in names if _path(name) is not None)


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
