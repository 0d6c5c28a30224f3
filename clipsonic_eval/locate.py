"""Find a thing by a string, late: ``package.module:Name`` or ``path/to/file.py:Name``.

This is how systems and trainers reach the harness, which never imports them.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import UserError, unknown_name


def locate(spec: str) -> Any:
    """Return the attribute that ``module:Name`` or ``file.py:Name`` names.

    Raises:
        UserError: the string is malformed, the module cannot be found, or has no such name.
    """
    module_name, colon, attribute = spec.rpartition(":")
    if not colon or not module_name or not attribute:
        raise UserError(f"'{spec}': expected MODULE:NAME or FILE.py:NAME, e.g. clipsonic.systems:ZeroShot")
    module = _load_file(Path(module_name)) if module_name.endswith(".py") else _load_module(module_name, spec)
    if not hasattr(module, attribute):
        raise unknown_name(f"name in {module_name}", attribute, [n for n in vars(module) if not n.startswith("_")])
    return getattr(module, attribute)


def _load_file(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the path of a Python file that defines the system")
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
