"""NumPy's files: what they claim is held against what they are, and nothing is unpacked that nobody asked for."""

from __future__ import annotations

import io
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.arrays import npz_headers, read_npy, read_npz
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.harness.features import read_features, read_prior
from clipsonic_eval.types import EncoderCard


def header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(24).reshape(2, 3, 4)),
        np.zeros((0, 5)),
        np.array(["a", "bcd"]),
        np.array(3.5),
        np.array([], dtype="<U1"),
    ],
)
def test_arrays_come_back_as_numpy_reads_them(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", x=array, y=np.ones(2))
    found = [read_npy(tmp_path / "a.npy"), read_npz(tmp_path / "a.npz")["x"]]
    found.append(read_npy(tmp_path / "a.npy", mapped=True))
    for one in found:
        assert one.dtype == array.dtype
        np.testing.assert_array_equal(one, array)
        assert one.flags.f_contiguous == array.flags.f_contiguous
    assert set(read_npz(tmp_path / "a.npz", ("y", "z"))) == {"y"}
    assert npz_headers(tmp_path / "a.npz")["x"].shape == array.shape


@pytest.mark.parametrize("shape", [(2, 10**6, 10**6), (2**62, 8), (2, 3, 3)])
@pytest.mark.parametrize("mapped", [True, False])
def test_a_header_that_claims_more_than_is_there_is_refused(
    tmp_path: Path, shape: tuple[int, ...], mapped: bool
) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(header(shape) + bytes(2 * 3 * 2 * 4))
    with pytest.raises(UserError, match=r"the header claims \d+ bytes, 48 are there"):
        read_npy(path, mapped=mapped)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (header((2, 1)) + bytes(9), "8 bytes, 9 are there"),
        (header((-2, 1)) + bytes(8), "shape"),
        (header((1,), "|O") + bytes(8), "objects"),
        (b"\x93NUMPY\x09\x00" + bytes(80), "not readable"),
        (b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118, "not readable"),
        (b"nothing of the kind", "not readable"),
    ],
)
def test_what_is_no_array_is_one_sentence(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(UserError, match=why) as told:
        read_npy(path, fix="make it again")
    assert str(told.value).endswith("; make it again")
    assert "\n" not in str(told.value)


def test_objects_in_an_archive_are_refused_and_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}, []], dtype=object))
    with pytest.raises(UserError, match="objects"):
        read_npz(tmp_path / "a.npz")


def test_flipped_bytes_in_an_archive_are_found_by_its_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(5000.0))
    data = bytearray(path.read_bytes())
    data[20_000:20_400] = bytes(b ^ 0x10 for b in data[20_000:20_400])
    path.write_bytes(data)
    with pytest.raises(UserError, match="CRC"):
        read_npz(path)


def zeros_in(path: Path, name: str, mib: int) -> None:
    """Add an array of ``mib`` MiB of zeros to an archive, in 1000 times fewer bytes."""
    packed = zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as archive, archive.open(f"{name}.npy", "w") as out:
        out.write(header((mib << 18, 1)))
        for _ in range(mib):
            out.write(bytes(1 << 20))


def test_zeros_that_nobody_asked_for_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "prior.npz"
    np.savez(path, keys=np.array(["a", "b"]), vectors=np.ones((2, 3), np.float32))
    zeros_in(path, "junk", 300)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    space = EncoderCard("e", "0" * 64, 3, ("image",), "")
    assert read_prior(path, space, "image").keys == ("a", "b")
    with pytest.raises(UserError, match=r"'junk' unpacks from \d+ to 314572\d+ bytes"):
        read_npz(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_features_are_not_unpacked_when_one_of_them_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez(path, image=np.ones((4, 3)), text=np.ones((4, 3)), prior=np.ones((4, 2)))
    with pytest.raises(ShapeError, match=r"array 'prior' must be floating point of the shape of 'image'"):
        read_features(path)


def test_a_parquet_of_zeros_is_not_unpacked(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(np.zeros(9_000_000, np.float32)), 1000)
    table = pyarrow.table({"image": rows, "text": rows})
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet")
    assert (tmp_path / "f.parquet").stat().st_size < 1 << 20
    with pytest.raises(UserError, match=r"18000000 numbers in a file of \d+ bytes"):
        read_features(tmp_path / "f.parquet")


def test_a_claim_of_eight_terabytes_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "features.npy"
    path.write_bytes(header((2, 10**6, 10**6)) + bytes(1000))
    with pytest.raises(UserError, match="claims 8000000000000 bytes, 1000 are there"):
        read_features(path)
