"""Read weight files without executing anything: safetensors, and PyTorch's pickled formats.

A pickle is a program, and a downloaded checkpoint is somebody else's. ``torch.load(weights_only=True)`` refuses many
published checkpoints (a NumPy scalar among the training state, pickle protocol 4), and loading them without it runs
whatever they hold. So both formats of PyTorch, the zip and the one from before version 1.6, are read here by a
restricted unpickler: the few permitted names map to functions that build tensors and dictionaries, turn NumPy arrays of
numbers into tensors and ignore other NumPy objects; every other name raises.

Also refused: compressed members and members that overlap (a small file that unpacks to a huge one), tensors that
claim more elements than their storage holds, object arrays, archives of TorchScript (programs), damaged members.

Cost: one copy of the file in memory.
"""

from __future__ import annotations

import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clipsonic_eval.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

SAFETENSORS: Final = ".safetensors"
_LEGACY_MAGIC: Final = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # how files before PyTorch 1.6 begin
_KEY: Final = re.compile(r"[0-9]{1,24}")
_ARRAYS: Final = {("numpy.core.multiarray", "_reconstruct")}
_NUMBERS: Final = {"f8": "float64", "f4": "float32", "f2": "float16", "i8": "int64", "i4": "int32", "u1": "uint8"}
_NUMPY: Final = {
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
}
_STORAGES: Final = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}


def read_tensors(path: Path, *, fix: str, under: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Read the tensors of a network by name.

    Args:
        path: ``.safetensors``, or any file that ``torch.save`` wrote.
        fix: what to do about a file that cannot be read, as the end of a sentence ("fetch it again from ...").
        under: keys under which training checkpoints keep the network ("state_dict", "model"); the first one found is
            used, otherwise the file itself is the network.

    Returns:
        Tensors on the CPU by name, of the shape and type in the file, each with its own memory.

    Raises:
        WeightsError: not readable without executing code, damaged, or not tensors by name.
    """
    held = _read(path, fix)
    for key in under:
        if isinstance(held, Mapping) and isinstance(held.get(key), Mapping):
            held = held[key]
            break
    import torch

    if not isinstance(held, Mapping) or not held:
        raise WeightsError(f"{path}: holds no tensors by name but a {type(held).__name__}; {fix}")
    found: dict[str, Tensor] = {}
    for name, value in held.items():
        if isinstance(value, _Array):
            value = _as_tensor(path, name, value, fix)  # noqa: PLW2901 # what the file means by it
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise WeightsError(f"{path}: '{name}' is a {type(value).__name__}, not a tensor by name; {fix}")
        found[name] = value
    return found


def _read(path: Path, fix: str) -> Any:
    if not path.is_file():
        raise WeightsError(f"{path}: no such weight file; {fix}")
    try:
        if path.suffix == SAFETENSORS:
            from safetensors.torch import load_file

            # copied: tensors of a mapped file lie where the file has them, and sums over unaligned memory round
            # otherwise than over aligned
            return {name: value.clone() for name, value in load_file(path).items()}
        with path.open("rb") as stream:
            if stream.peek(len(_LEGACY_MAGIC))[: len(_LEGACY_MAGIC)] == _LEGACY_MAGIC:
                return _read_legacy(stream, path.stat().st_size)
            with zipfile.ZipFile(stream) as archive:
                return _Archive(path, archive).load()
    except Exception as error:  # a hostile file may end in any error of any library
        line = str(error).strip().partition("\n")[0].partition(". ")[0][:160] or type(error).__name__
        raise WeightsError(f"{path}: not readable as tensors alone ({line}); {fix}") from error


class _Archive:
    """A zip of PyTorch: ``<name>/data.pkl`` and one uncompressed member ``<name>/data/<key>`` for each storage."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its members are compressed, which torch.save never does")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("its members are larger than the file")
        names = {member.filename for member in members}
        if any(name.endswith("/constants.pkl") for name in names):
            raise ValueError("it is a program of TorchScript")
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("it is a zip, but not one of torch.save")
        self._archive, self._names = archive, names
        self._root = pickles[0].removesuffix("data.pkl")
        order = f"{self._root}byteorder"
        if order in names and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        self._storages: dict[str, Tensor] = {}

    def load(self) -> Any:
        with self._archive.open(f"{self._root}data.pkl") as stream:
            return _Reader(stream, self.storage).load()

    def storage(self, name: str, key: str, count: int) -> Tensor:
        """Return a storage as a flat tensor, (count,)."""
        import torch

        if key not in self._storages:
            dtype = getattr(torch, _STORAGES[name])
            data = bytearray(self._archive.read(f"{self._root}data/{key}"))
            empty = torch.empty(0, dtype=dtype)
            flat = torch.frombuffer(data, dtype=dtype) if data else empty
            if flat.numel() != count:
                raise ValueError(f"storage {key} holds {flat.numel()} numbers instead of {count}")
            self._storages[key] = flat
        return self._storages[key]


def _read_legacy(stream: Any, size: int) -> Any:
    """Read the format before PyTorch 1.6: several pickles, followed by the storages that they name."""
    import torch

    wanted: dict[str, tuple[str, int]] = {}
    storages: dict[str, Tensor] = {}

    def note(name: str, key: str, count: int) -> None:
        wanted[key] = (name, count)

    for _ in ("magic", "version", "system"):
        _Reader(stream, note).load()
    begin = stream.tell()
    _Reader(stream, note).load()
    for key in _Reader(stream, note).load():
        name, count = wanted[key]
        dtype = getattr(torch, _STORAGES[name])
        written = stream.read(8)
        whole = len(written) == 8 and int.from_bytes(written, "little", signed=True) == count
        if not whole or not 0 <= count * dtype.itemsize <= size - stream.tell():
            raise ValueError(f"storage {key} should hold {count} numbers; the file is cut or damaged")
        data = bytearray(stream.read(count * dtype.itemsize))
        storages[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
    stream.seek(begin)
    return _Reader(stream, lambda _, key, __: storages[key]).load()


class _Storage:
    """Stands for a class of storages."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class _Reader(pickle.Unpickler):
    """A restricted unpickler: builds tensors and ordered dictionaries, ignores NumPy objects, refuses all else."""

    def __init__(self, stream: Any, storage: Callable[[str, str, int], Tensor | None]) -> None:
        super().__init__(stream, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        # Answers are made anew for each request: a pickle may set attributes of what it has got.
        if module == "torch" and name in _STORAGES:
            return _Storage(name)
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *parts: _tensor(*parts[:4])
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, *_: data
        if (module, name) == ("torch", "Size"):
            return tuple
        if (module, name) == ("collections", "OrderedDict"):
            return type("OrderedDict", (OrderedDict,), {})
        if (module.replace("_core", "core"), name) in _ARRAYS:
            return lambda *_: _Array()
        if (module, name) == ("numpy", "dtype"):
            return lambda code, *_: _Dtype(code)
        if (module.replace("_core", "core"), name) in _NUMPY:
            return lambda *_: _Ignored()
        if (module, name) == ("_codecs", "encode"):
            return lambda text, *_: str(text).encode("latin1")
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor | None:
        kind, storage, key, _, count = pid[:5]
        if kind != "storage" or not isinstance(storage, _Storage) or not _KEY.fullmatch(key):
            raise pickle.UnpicklingError("it asks for something that is no storage")
        return self._storage(storage.name, key, int(count))


class _Ignored:
    """Placeholder for a NumPy object among the training state, which is not needed here."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        del state


def _as_tensor(path: Path, name: Any, array: _Array, fix: str) -> Tensor:
    try:
        return array.tensor()
    except (pickle.UnpicklingError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: '{name}' is not readable as a tensor ({error}); {fix}") from error


class _Dtype(_Ignored):
    """Placeholder for a NumPy dtype."""

    __slots__ = ("code",)

    def __init__(self, code: Any) -> None:
        self.code = code


class _Array:
    """Placeholder for a NumPy array; its pickled state is decoded only if the array is used."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def tensor(self) -> Tensor:
        """Return the array as a tensor.

        Raises:
            UnpicklingError: not an array of numbers, or its shape does not match its data.
        """
        import torch

        _, shape, dtype, fortran, data = self.state
        if not isinstance(dtype, _Dtype) or dtype.code not in _NUMBERS or not isinstance(data, bytes):
            raise pickle.UnpicklingError("it holds an array that is not one of numbers")
        flat = torch.frombuffer(bytearray(data), dtype=getattr(torch, _NUMBERS[dtype.code]))
        if math.prod(int(n) for n in shape) != flat.numel():
            raise pickle.UnpicklingError(f"an array of shape {list(shape)} holds {flat.numel()} numbers")
        return flat.reshape(tuple(shape)[::-1]).permute(*range(len(shape))[::-1]) if fortran else flat.reshape(shape)


def _tensor(flat: Tensor | None, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor | None:
    """Return a tensor that is a view of a storage, as a copy that keeps nothing else alive.

    Args:
        flat: the storage, (count,); None where it has not been read yet, and so is the result.
        offset: of the first element in the storage.
        size: shape of the tensor.
        stride: in elements.
    """
    import torch

    if flat is None:
        return None

    if math.prod(int(n) for n in size) > flat.numel():
        raise pickle.UnpicklingError(f"a tensor of shape {list(size)} lies in a storage of {flat.numel()} numbers")
    return torch.as_strided(flat, tuple(size), tuple(stride), int(offset)).clone(memory_format=torch.contiguous_format)


def missing_and_unexpected(found: Mapping[str, Any], wanted: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Yield the names that are missing, unexpected, or of another shape, sorted.

    Args:
        found: tensors by name.
        wanted: shapes by name.
    """
    for name in sorted({*found, *wanted}):
        if name not in found or name not in wanted or tuple(found[name].shape) != wanted[name]:
            yield name
