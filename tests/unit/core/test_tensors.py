"""Weight files: what torch.save and safetensors write comes back, and a hostile file runs nothing."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.tensors import missing_and_unexpected, read_tensors

AGAIN = "fetch it again"


def state() -> OrderedDict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    whole = torch.randn(6, 5, generator=generator)
    found = OrderedDict(
        turned=whole.t(),
        part=whole[2:4, 1:],
        parameter=torch.nn.Parameter(torch.ones(2)),
        number=torch.tensor(7),
        empty=torch.empty(0, 3),
        half=torch.tensor([1.5, -2.0], dtype=torch.float16),
        brain=torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        flags=torch.tensor([True, False]),
    )
    found._metadata = {"": {"version": 1}}  # type: ignore[attr-defined] # state_dict() carries it
    return found


def same(found: dict[str, torch.Tensor], wanted: dict[str, Any]) -> bool:
    return list(found) == list(wanted) and all(
        found[k].dtype == wanted[k].dtype and torch.equal(found[k], wanted[k]) for k in wanted
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_checkpoint_of_a_training_gives_its_network(tmp_path: Path, protocol: int) -> None:
    training = {
        "epoch": 3,
        "best": np.float64(0.25),
        "history": [np.arange(3), np.ones((2, 2)), np.array(["a"])],
        "optimizer": {"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.99)}]},
        "state_dict": state(),
    }
    torch.save(training, tmp_path / "c.pt", pickle_protocol=protocol)
    torch.save(training, tmp_path / "old.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    for name in ("c.pt", "old.pt") if protocol == 2 else ("c.pt",):  # that protocol alone was in use in the old format
        found = read_tensors(tmp_path / name, fix=AGAIN, under=("model", "state_dict"))
        assert same(found, state())
        assert all(value.is_contiguous() for value in found.values())


def test_the_network_alone_in_three_formats(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "new.pt")
    torch.save(state(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    plain = {name: value.detach().contiguous() for name, value in state().items()}
    save_file(plain, tmp_path / "c.safetensors")
    for name in ("new.pt", "old.pth"):
        assert same(read_tensors(tmp_path / name, fix=AGAIN), state())
    by_name = dict(sorted(read_tensors(tmp_path / "c.safetensors", fix=AGAIN).items()))
    assert same(by_name, dict(sorted(plain.items())))


@pytest.mark.parametrize("zipped_format", [True, False])
def test_arrays_of_numbers_become_tensors_and_others_are_refused(tmp_path: Path, zipped_format: bool) -> None:
    held = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "c": torch.ones(2),
    }
    torch.save(held, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped_format)
    found = read_tensors(tmp_path / "a.pth", fix=AGAIN)
    assert all(np.array_equal(found[name].numpy(), np.asarray(held[name])) for name in held)
    assert found["a"].dtype == torch.float32
    for array in (np.array([None, 1], object), np.array(["a"])):
        torch.save({"a": array}, tmp_path / "o.pth", _use_new_zipfile_serialization=zipped_format)
        with pytest.raises(WeightsError, match=r"not (one of numbers|readable)"):
            read_tensors(tmp_path / "o.pth", fix=AGAIN)


class Command:
    """What an attacker pickles."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._what = function, arguments

    def __reduce__(self) -> Any:
        return self._what


def zipped(path: Path, pickled: bytes, storages: dict[str, bytes] | None = None, **how: Any) -> None:
    with zipfile.ZipFile(path, "w", **how) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, data in (storages or {}).items():
            archive.writestr(f"archive/data/{key}".replace("data/../", ""), data)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("call", ["os.system", "eval", "exec", "getattr", "open", "torch.load", "torch.hub.load"])
def test_nothing_is_executed(tmp_path: Path, call: str, protocol: int) -> None:
    mark = tmp_path / "executed"
    commands = {
        "os.system": Command(os.system, f"touch {mark}"),
        "eval": Command(eval, f"open({str(mark)!r}, 'w')"),
        "exec": Command(exec, f"open({str(mark)!r}, 'w')"),
        "getattr": Command(getattr, "", "join"),
        "open": Command(open, str(mark), "w"),
        "torch.load": Command(torch.load, str(mark)),
        "torch.hub.load": Command(torch.hub.load, str(mark), "x"),
    }
    bomb = pickle.dumps({"weight": commands[call]}, protocol=protocol)
    zipped(tmp_path / "zip.pt", bomb)
    (tmp_path / "bare.pt").write_bytes(bomb)
    magic, version, system = (pickle.dumps(v, protocol=2) for v in (0x1950A86A20F9469CFC6C, 1001, {}))
    (tmp_path / "old.pt").write_bytes(magic + version + system + bomb + pickle.dumps([], protocol=2))
    (tmp_path / "as.safetensors").write_bytes(bomb)
    for name in ("zip.pt", "bare.pt", "old.pt", "as.safetensors"):
        with pytest.raises(WeightsError, match="not readable as tensors alone") as caught:
            read_tensors(tmp_path / name, fix=AGAIN)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert str(caught.value).endswith(AGAIN)
        assert "\n" not in str(caught.value)
    assert not mark.exists()


def storage_pickle(count: int, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    """A tensor as torch.save pickles it, with sizes as given."""

    class Persistent(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", count) if thing == "STORAGE" else None

    import io

    held = io.BytesIO()
    rebuild: Any = torch._utils._rebuild_tensor_v2
    Persistent(held, protocol=2).dump(
        {"weight": Command(rebuild, "STORAGE", offset, size, stride, False, OrderedDict())}
    )
    return held.getvalue()


def test_bombs_and_damage(tmp_path: Path) -> None:
    zipped(tmp_path / "fine.pt", storage_pickle(4, (2, 2), (2, 1)), {"0": struct.pack("<4f", 1, 2, 3, 4)})
    assert read_tensors(tmp_path / "fine.pt", fix=AGAIN)["weight"].tolist() == [[1, 2], [3, 4]]
    zipped(tmp_path / "view.pt", storage_pickle(4, (1 << 20, 1 << 20), (0, 0)), {"0": bytes(16)})
    zipped(tmp_path / "beyond.pt", storage_pickle(4, (2, 2), (2, 1), 3), {"0": bytes(16)})
    zipped(tmp_path / "count.pt", storage_pickle(1 << 40, (2, 2), (2, 1)), {"0": bytes(16)})
    zipped(tmp_path / "gone.pt", storage_pickle(4, (2, 2), (2, 1)))
    zipped(tmp_path / "zip.pt", storage_pickle(4, (2,), (1,)), {"0": bytes(1 << 20)}, compression=zipfile.ZIP_DEFLATED)
    zipped(tmp_path / "script.pt", storage_pickle(4, (4,), (1,)), {"0": bytes(16), "../constants.pkl": b"program"})
    torch.save(state(), tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:-300])
    torch.save(state(), tmp_path / "flipped.pt")
    data = bytearray((tmp_path / "flipped.pt").read_bytes())
    data[data.index(struct.pack("<2f", 1, 1))] ^= 1
    (tmp_path / "flipped.pt").write_bytes(data)
    save_file({"weight": torch.ones(100)}, tmp_path / "cut.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "cut.safetensors").read_bytes()[:-1])
    (tmp_path / "long.safetensors").write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    (tmp_path / "empty.pt").write_bytes(b"")
    words = {
        "view.pt": r"shape \[1048576, 1048576\] lies in a storage of 4",
        "beyond.pt": "out of bounds",
        "count.pt": "storage 0 holds 4 numbers instead of",
        "gone.pt": "no item named",
        "zip.pt": "compressed",
        "script.pt": "TorchScript",
        "cut.pt": "not a zip",
        "flipped.pt": "CRC",
        "cut.safetensors": "",
        "long.safetensors": "",
        "empty.pt": "",
    }
    for name, said in words.items():
        with pytest.raises(WeightsError, match=f"not readable as tensors alone.*{said}"):
            read_tensors(tmp_path / name, fix=AGAIN)


@pytest.mark.parametrize("last", [torch.ones(3), torch.empty(0)])
def test_a_file_from_before_version_1_6_that_is_cut_anywhere_is_refused(tmp_path: Path, last: torch.Tensor) -> None:
    """Storages lie in the order of their addresses, so any one of them may be the last, one of no numbers too."""
    torch.save({"weight": last}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    whole = (tmp_path / "old.pt").read_bytes()
    assert torch.equal(read_tensors(tmp_path / "old.pt", fix=AGAIN)["weight"], last)
    for kept in range(1, len(whole)):
        (tmp_path / "old.pt").write_bytes(whole[:kept])
        with pytest.raises(WeightsError, match="not readable as tensors alone"):
            read_tensors(tmp_path / "old.pt", fix=AGAIN)


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "a.pt", storage_pickle(4, (2, 2), (2, 1)), {"0": bytes(4096)})
    data = (tmp_path / "a.pt").read_bytes()
    # the directory entry of the last member, repeated: many members that share one place in the file
    start = data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    entry, tail = data[start:end], bytearray(data[end:])
    copies = 50
    struct.pack_into("<HH", tail, 8, 2 + copies, 2 + copies)
    struct.pack_into("<I", tail, 12, struct.unpack_from("<I", tail, 12)[0] + copies * len(entry))
    (tmp_path / "a.pt").write_bytes(data[:end] + entry * copies + bytes(tail))
    with pytest.raises(WeightsError, match="larger than the file"):
        read_tensors(tmp_path / "a.pt", fix=AGAIN)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    for held, said in (([1, 2], "a list"), ({"a": 1}, "'a' is a int"), ({1: torch.ones(1)}, "'1'"), ({}, "a dict")):
        torch.save(held, tmp_path / "a.pt")
        with pytest.raises(WeightsError, match=said):
            read_tensors(tmp_path / "a.pt", fix=AGAIN)
    with pytest.raises(WeightsError, match="no such weight file; fetch it again"):
        read_tensors(tmp_path / "nothing.pt", fix=AGAIN)


def test_a_pickle_cannot_change_what_later_ones_get(tmp_path: Path) -> None:
    # GLOBAL OrderedDict, then BUILD with an attribute: sets it on what find_class gave
    vandal = b"\x80\x02}X\x01\x00\x00\x00a(ccollections\nOrderedDict\nN}X\x06\x00\x00\x00markedK\x01s\x86blu."
    zipped(tmp_path / "a.pt", vandal)
    with pytest.raises(WeightsError):
        read_tensors(tmp_path / "a.pt", fix=AGAIN)
    assert not hasattr(OrderedDict, "marked")


def test_names_that_are_missing_strange_or_of_another_shape() -> None:
    found = {"a": torch.ones(2), "b": torch.ones(3), "d": torch.ones(1)}
    assert list(missing_and_unexpected(found, {"a": (2,), "b": (2,), "c": (1,)})) == ["b", "c", "d"]
