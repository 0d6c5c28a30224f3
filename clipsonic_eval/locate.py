"""Import an object by a string: ``package.module:Name`` or ``path/to/file.py:Name``.

This is how systems and trainers reach the harness, which never imports them by name.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import UserError, unknown_name


def locate(
    spec: str, what: str = "name", fits: Callable[[Any], bool] = callable, example: str = "clipsonic.systems:ZeroShot"
) -> Any:
    """Return the attribute that ``module:Name`` or ``file.py:Name`` names.

    Args:
        spec: the string.
        what: the kind of object, for the error sentence.
        fits: whether an object that the module defines could be meant; the error lists those, not what it imports.
        example: of such a string, for the error sentence.

    Raises:
        UserError: the string is malformed, the module cannot be found, or has no such name.
    """
    module_name, colon, attribute = spec.rpartition(":")
    if not colon or not module_name or not attribute:
        raise UserError(f"'{spec}': expected MODULE:NAME or FILE.py:NAME, e.g. {example}")
    module = _load_file(Path(module_name), what) if module_name.endswith(".py") else _load_module(module_name, spec)
    if not hasattr(module, attribute):
        raise unknown_name(f"{what} in {module_name}", attribute, _defined(module, fits))
    return getattr(module, attribute)


def _defined(module: Any, fits: Callable[[Any], bool]) -> list[str]:
    """Return the names of the objects that a module itself defines and that fit, without base classes of others."""
    own = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__ and fits(value)
    }
    bases = {base for value in own.values() if isinstance(value, type) for base in value.__mro__[1:]}
    return [name for name, value in own.items() if value not in bases]


def _load_file(path: Path, what: str) -> Any:
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the path of a Python file that defines the {what}")
    name = f"_clipsonic_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load_module(name: str, spec: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(f"'{spec}': no module named '{error.name}'; is it installed, or misspelt?") from None
        raise
