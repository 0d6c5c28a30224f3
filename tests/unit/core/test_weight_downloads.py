"""Published weights are fetched from a local server that breaks off, forgets ranges, and sends something else."""

from __future__ import annotations

import hashlib
import http.server
import inspect
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clipsonic_eval import weight_downloads
from clipsonic_eval.cli import main
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import UserError, WeightsError
from clipsonic_eval.locate import locate
from clipsonic_eval.weight_downloads import catalogue, chosen, fetch, kept, page, verify
from clipsonic_eval.weight_files import PublishedWeights

BYTES = bytes(range(256)) * 20_000  # 5 MB
SHA256 = hashlib.sha256(BYTES).hexdigest()


class _Server(http.server.ThreadingHTTPServer):
    """Serves BYTES.

    Attributes:
        most: bytes after which an answer breaks off; None: none does.
        ranges: whether parts may be asked for.
        content: what is served.
        asked: the Range header of every request.
    """

    most: int | None = None
    ranges = True
    content = BYTES

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str | None] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        content = self.server.content[start:]
        if self.path != "/w.pth":
            self.send_error(404)
            return
        if start and not content:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.server.most])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def weights(server: _Server, tmp_path: Path) -> PublishedWeights:
    url = f"http://127.0.0.1:{server.server_port}/w.pth"
    return PublishedWeights("w.pth", "mine", "MIT", url, folder=str(tmp_path / "kept"), sha256=SHA256[:8])


def _files(weights: PublishedWeights) -> list[str]:
    return sorted(path.name for path in Path(weights.folder).iterdir())


def test_a_missing_file_is_fetched_once(server: _Server, weights: PublishedWeights) -> None:
    assert kept(weights) is None
    path, digest = fetch(weights)
    assert path.read_bytes() == BYTES
    assert _files(weights) == ["w.pth"]
    assert fetch(weights) == (path, digest) == (kept(weights), SHA256)
    assert len(server.asked) == 1


def test_a_broken_download_keeps_its_bytes_and_goes_on_from_there(server: _Server, weights: PublishedWeights) -> None:
    server.most = 2_000_000
    with pytest.raises(WeightsError, match=r"2,000,000 bytes are kept; run the same command again"):
        fetch(weights)
    assert _files(weights) == [".w.pth.part"]
    assert kept(weights) is None  # a part is no file
    server.most = None
    assert fetch(weights)[0].read_bytes() == BYTES
    assert server.asked == [None, "bytes=2000000-"]
    assert _files(weights) == ["w.pth"]


def test_a_server_without_ranges_begins_anew(server: _Server, weights: PublishedWeights) -> None:
    server.most = 1_500_000
    with pytest.raises(WeightsError):
        fetch(weights)
    server.most, server.ranges = None, False
    assert fetch(weights)[0].read_bytes() == BYTES


def test_a_part_that_is_whole_already_becomes_the_file(weights: PublishedWeights) -> None:
    Path(weights.folder).mkdir()
    (Path(weights.folder) / ".w.pth.part").write_bytes(BYTES)
    assert fetch(weights)[0].read_bytes() == BYTES


def test_another_file_than_the_published_one_is_not_kept(server: _Server, weights: PublishedWeights) -> None:
    server.content = BYTES[::-1]
    with pytest.raises(WeightsError, match=r"not the published one .*removed"):
        fetch(weights)
    assert _files(weights) == []


def test_a_kept_file_is_compared_with_its_published_hash(weights: PublishedWeights) -> None:
    path, _ = fetch(weights)
    assert verify(weights, path) == SHA256
    path.write_bytes(BYTES[:-1])
    with pytest.raises(WeightsError, match="remove it and fetch it again from http"):
        verify(weights, path)
    assert verify(weights._replace(sha256=""), path) == hashlib.sha256(BYTES[:-1]).hexdigest()


def test_no_server_and_no_such_file_are_one_sentence(server: _Server, weights: PublishedWeights) -> None:
    with pytest.raises(WeightsError, match=r"not fetched \(HTTP Error 404"):
        fetch(weights._replace(url=weights.url.replace("w.pth", "x.pth")))
    with pytest.raises(WeightsError, match="0 bytes are kept; run the same command again"):
        fetch(weights._replace(url="http://127.0.0.1:9/w.pth"))


def test_a_repository_is_fetched_by_the_names_of_its_files_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(repository: str, names: list[str], *, command: str) -> Path:
        asked.append((repository, names, command))
        if "b.bin" in names:
            (tmp_path / "b.bin").write_bytes(b"x")
        return tmp_path

    monkeypatch.setattr(weight_downloads, "hub_download", download)
    both = PublishedWeights("lab/model", "mine", "MIT", files=("a.safetensors", "b.bin"), beside=("*.json",))
    assert kept(both) is None
    assert fetch(both) == (tmp_path / "b.bin", hashlib.sha256(b"x").hexdigest())
    assert [names for _, names, _ in asked] == [["*.json", "a.safetensors"], ["*.json", "b.bin"]]
    assert asked[0][2] == """'hf download lab/model --include "*.json" --include "a.safetensors"'"""
    with pytest.raises(WeightsError, match=r"holds none of a\.safetensors any more"):
        fetch(both._replace(files=("a.safetensors",)))


def test_a_pipeline_is_fetched_and_checked_with_all_its_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its main network alone does not say that the others are there."""
    asked = []
    files = {"unet/a.safetensors": b"x", "vae/b.safetensors": b"y"}

    def download(repository: str, names: list[str], *, command: str) -> Path:
        asked.append(names)
        for name, content in files.items():
            blob = tmp_path / "blobs" / hashlib.sha256(content).hexdigest()
            blob.parent.mkdir(exist_ok=True)
            blob.write_bytes(content)
            (tmp_path / "snapshot" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "snapshot" / name).unlink(missing_ok=True)
            (tmp_path / "snapshot" / name).symlink_to(blob)
        return tmp_path / "snapshot"

    monkeypatch.setattr(weight_downloads, "hub_download", download)
    pipeline = PublishedWeights(
        "lab/pipe", "mine", "MIT", files=("unet/a.safetensors",), beside=("*/*.json", "*/*.safetensors")
    )
    place, digest = fetch(pipeline)
    assert (place, digest) == (tmp_path / "snapshot/unet/a.safetensors", hashlib.sha256(b"x").hexdigest())
    monkeypatch.setattr(weight_downloads, "kept", lambda _: place)
    fetch(pipeline)
    assert asked == [["*/*.json", "*/*.safetensors", "unet/a.safetensors"]] * 2
    (tmp_path / "snapshot/vae/b.safetensors").write_bytes(b"z")
    with pytest.raises(WeightsError, match=r"vae/b\.safetensors: its sha256 does not begin with"):
        verify(pipeline, place)


def test_the_catalogue_names_encoders_that_exist_with_a_licence_and_a_page() -> None:
    every = catalogue()
    assert len({(one.name, one.used_by) for one in every}) == len(every)
    for one in every:
        assert one.licence
        assert page(one).startswith("https://")
        assert bool(one.url) != bool(one.files)
        others = ("vocoder ", "import-prior", "paired_tta.")
        assert all(name in ENCODERS or name.startswith(others) for name in one.used_by.split(", ")), one
    assert {"vggish", "clap-laion-audio", "clip-vit-l-14"} <= {n for one in every for n in one.used_by.split(", ")}
    assert {one.name for one in every} >= {
        "nvidia/bigvgan_v2_22khz_80band_256x", "kakaobrain/karlo-v1-alpha", "cvssp/audioldm2",
        "stabilityai/stable-audio-open-1.0",
    }  # fmt: skip
    for one in every:
        if one.used_by.startswith("paired_tta."):
            assert inspect.isclass(locate(one.used_by))


def test_names_are_those_of_encoders_files_and_repositories() -> None:
    assert [one.name for one in chosen(("vggish-exact",))] == [one.name for one in chosen(("vggish",))] + [
        "vggish_pca_params-970ea276.pth"
    ]
    assert chosen(("cvssp/audioldm-s-full-v2",))[0].used_by == "vocoder hifi-gan"
    with pytest.raises(UserError, match="Did you mean 'vggish'"):
        chosen(("vgish",))


def test_the_command_lists_fetches_and_goes_on_after_a_failure(
    weights: PublishedWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = weights._replace(name="lost.pth", used_by="yours", url=weights.url.replace("w.pth", "x.pth"))
    monkeypatch.setattr(weight_downloads, "catalogue", lambda: [lost, weights])
    listed = CliRunner().invoke(main, ["weights"])
    assert listed.exit_code == 0
    assert listed.stdout.count("not here") == 2
    assert "for mine; licence MIT" in listed.stdout
    fetched = CliRunner().invoke(main, ["weights", "--fetch"])
    assert fetched.exit_code == 3
    assert "x.pth: not fetched" in fetched.stderr
    assert f"(SHA-256 {SHA256})" in fetched.stdout
    found = json.loads(CliRunner().invoke(main, ["weights", "mine", "--verify", "--json"]).stdout)
    assert [one["found_sha256"] for one in found["weights"]] == [SHA256]
    assert found["failed"] == []
