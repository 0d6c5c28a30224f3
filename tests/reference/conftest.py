"""Make the reference packages importable: torchaudio and torchvision load CUDA's libraries on import.

Only their Python parts are compared with, so their compiled extensions are left out where torch has no CUDA. This
must run before transformers is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import sys
import types

import torch


def _without_extensions() -> None:
    extension = types.ModuleType("torchaudio._extension")
    extension.__spec__ = importlib.machinery.ModuleSpec("torchaudio._extension", None)
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = extension._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    extension._check_cuda_version = lambda: None  # type: ignore[attr-defined]
    extension.fail_if_no_align = lambda function: function  # type: ignore[attr-defined]
    sys.modules["torchaudio._extension"] = extension
    register = torch.library.register_fake

    def skipping(op, *args, **kwargs):  # type: ignore[no-untyped-def]
        if str(op).startswith("torchvision::"):
            return lambda function: function
        return register(op, *args, **kwargs)

    torch.library.register_fake = skipping
    try:
        for name in ("torchvision", "torchaudio"):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(name)
    finally:
        torch.library.register_fake = register


if torch.version.cuda is None:
    _without_extensions()
