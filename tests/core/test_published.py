"""The download, against a server on this machine that also fails in every way."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from automod_core import published
from automod_core.errors import UserError
from automod_core.published import PUBLISHED, DownloadCancelled, download, find, look_up

MODEL = find("ffhq256")
CONTENT = bytes(range(256)) * 2048  # 512 KiB: eight chunks
MD5 = hashlib.md5(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """What the server does next; tests set the fields."""

    record_status: int = 200
    record_body: bytes | None = None  # instead of the real record
    file_status: int = 200
    content: bytes = CONTENT
    ranges: bool = True
    wrong_range: bool = False  # answers 206 with another piece than asked
    refuse_ranges: bool = False  # answers 416
    cut_after: int | None = None  # bytes sent before the connection is closed
    stall_after: int | None = None  # bytes sent before the server goes silent
    checksum: str = f"md5:{MD5}"
    size: object = len(CONTENT)
    file_name: str = MODEL.file_name
    requests: list[tuple[str, str]] = field(default_factory=list)  # (path, Range header)
    release: threading.Event = field(default_factory=threading.Event)  # ends a stall


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def behaviour(self) -> Behaviour:
        return self.server.behaviour  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.close_connection = True
        self.behaviour.requests.append((self.path, self.headers.get("Range", "")))
        if self.path.startswith("/record"):
            self._record()
        else:
            self._file()

    def _record(self) -> None:
        b = self.behaviour
        body = b.record_body
        if body is None:
            entry = {
                "key": b.file_name,
                "size": b.size,
                "checksum": b.checksum,
                "links": {"self": f"http://127.0.0.1:{self.server.server_address[1]}/file"},
            }
            others = [{"key": "1_state.pth", "size": 1, "checksum": "md5:0", "links": {}}]
            body = json.dumps({"metadata": {"license": {"id": "cc-by-4.0"}}, "files": [*others, entry]}).encode()
        self._answer(b.record_status, body)

    def _file(self) -> None:
        b = self.behaviour
        asked = self.headers.get("Range", "")
        if b.file_status != 200:
            return self._answer(b.file_status, b"trouble")
        if asked and b.refuse_ranges:
            return self._answer(416, b"")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and b.ranges else 0
        if start and b.wrong_range:
            start += 1
        body = b.content[start:]
        self.send_response(206 if asked and b.ranges else 200)
        if asked and b.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(b.content) - 1}/{len(b.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._send_body(body)
        return None

    def _send_body(self, body: bytes) -> None:
        b = self.behaviour
        if b.cut_after is not None:
            body = body[: b.cut_after]
        if b.stall_after is not None:
            self.wfile.write(body[: b.stall_after])
            self.wfile.flush()
            b.release.wait(20)
            return
        self.wfile.write(body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Server:
    behaviour: Behaviour
    record_url: str


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is part of the tests


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    http = _QuietServer(("127.0.0.1", 0), Handler)
    behaviour = http.behaviour = Behaviour()  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Server(behaviour, f"http://127.0.0.1:{http.server_address[1]}/record")
    behaviour.release.set()
    http.shutdown()
    thread.join()
    http.server_close()


def part_of(folder: Path) -> Path:
    return folder / f"{MODEL.file_name}.{MD5[:8]}.part"


def fails(server: Server, folder: Path, words: str, **arguments: object) -> UserError:
    arguments.setdefault("record_url", server.record_url)
    arguments.setdefault("timeout_s", 5.0)
    with pytest.raises(UserError, match=words) as caught:
        download(MODEL, folder, **arguments)  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "object at 0x" not in sentence
    assert not (folder / MODEL.file_name).exists()
    return caught.value


# ---- the catalogue -------------------------------------------------------------------------------------------------


def test_the_five_models_are_listed() -> None:
    assert [m.key for m in PUBLISHED] == ["ffhq512", "ffhq256", "celebahq256", "lsuncars256", "lsunbedrooms256"]
    assert [m.resolution for m in PUBLISHED] == [512, 256, 256, 256, 256]
    assert len({m.file_name for m in PUBLISHED}) == 5
    assert all(m.trained_on and m.licence and m.estimated_bytes > 5e8 and m.size_bytes is None for m in PUBLISHED)
    assert find("ffhq512").file_name == "42420000_state.pth"
    with pytest.raises(UserError, match="ffhq1024"):
        find("ffhq1024")


def test_importing_it_loads_neither_torch_nor_qt_nor_the_network() -> None:
    code = (
        "import sys, automod_core.published; print(sorted({'torch','PySide6','requests','pooch'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


# ---- what works ----------------------------------------------------------------------------------------------------


def test_download_puts_the_checked_file_in_place(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = download(
        MODEL, tmp_path / "new", progress=lambda done, total: seen.append((done, total)), record_url=server.record_url
    )
    assert path == tmp_path / "new" / MODEL.file_name
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == [MODEL.file_name]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_file_that_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    download(MODEL, tmp_path, record_url=server.record_url)
    server.behaviour.requests.clear()
    assert download(MODEL, tmp_path, record_url=server.record_url).read_bytes() == CONTENT
    assert [path for path, _ in server.behaviour.requests] == ["/record"]


def test_look_up_reads_size_checksum_and_licence(server: Server) -> None:
    remote = look_up(MODEL, record_url=server.record_url)
    assert (remote.size_bytes, remote.checksum, remote.licence) == (len(CONTENT), f"md5:{MD5}", "cc-by-4.0")


@pytest.mark.parametrize("shape", ["legacy", "entries"])
def test_other_shapes_of_the_record_are_understood(server: Server, shape: str) -> None:
    link = "https://example.org/content"
    if shape == "legacy":
        files: object = [
            {
                "filename": f"{MODEL.iteration}_state_v2.pth",
                "filesize": 5,
                "checksum": MD5,
                "links": {"download": link, "self": "https://example.org/about"},
            }
        ]
    else:
        entry = {"key": MODEL.file_name, "size": 5, "checksum": f"md5:{MD5}", "links": {"content": link, "self": "x"}}
        files = {"enabled": True, "entries": {MODEL.file_name: entry}}
    server.behaviour.record_body = json.dumps({"files": files}).encode()
    remote = look_up(MODEL, record_url=server.record_url)
    assert (remote.url, remote.size_bytes, remote.checksum) == (link, 5, f"md5:{MD5}")


# ---- resuming ------------------------------------------------------------------------------------------------------


def test_a_cut_download_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.behaviour.cut_after = 200_000
    fails(server, tmp_path, "was cut before everything had arrived")
    have = part_of(tmp_path).stat().st_size
    assert 0 < have <= 200_000

    server.behaviour.cut_after = None
    seen: list[int] = []
    path = download(MODEL, tmp_path, progress=lambda done, total: seen.append(done), record_url=server.record_url)
    assert path.read_bytes() == CONTENT
    assert server.behaviour.requests[-1] == ("/file", f"bytes={have}-")
    assert seen[0] == have
    assert not part_of(tmp_path).exists()


@pytest.mark.parametrize("trouble", ["ranges", "wrong_range", "refuse_ranges"])
def test_a_server_that_cannot_go_on_gives_a_clean_restart(server: Server, tmp_path: Path, trouble: str) -> None:
    part_of(tmp_path).write_bytes(b"?" * 100_000)  # would spoil the file if it were kept
    setattr(server.behaviour, trouble, trouble != "ranges")
    assert download(MODEL, tmp_path, record_url=server.record_url).read_bytes() == CONTENT


def test_a_damaged_part_is_thrown_away_and_fetched_anew(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).write_bytes(b"?" * 100_000)
    assert download(MODEL, tmp_path, record_url=server.record_url).read_bytes() == CONTENT
    assert [r for _, r in server.behaviour.requests] == ["", "bytes=100000-", ""]


def test_a_complete_part_needs_no_second_fetch(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).write_bytes(CONTENT)
    assert download(MODEL, tmp_path, record_url=server.record_url).read_bytes() == CONTENT
    assert [path for path, _ in server.behaviour.requests] == ["/record"]


def test_a_part_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).write_bytes(CONTENT + b"more")
    assert download(MODEL, tmp_path, record_url=server.record_url).read_bytes() == CONTENT


# ---- cancelling ----------------------------------------------------------------------------------------------------


def test_cancel_keeps_the_part_for_later(server: Server, tmp_path: Path) -> None:
    stop = threading.Event()

    def progress(done: int, total: int) -> None:
        if done >= 100_000:
            stop.set()

    with pytest.raises(DownloadCancelled):
        download(MODEL, tmp_path, progress=progress, cancelled=stop.is_set, record_url=server.record_url)
    assert part_of(tmp_path).stat().st_size >= 100_000
    assert not (tmp_path / MODEL.file_name).exists()
    assert download(MODEL, tmp_path, record_url=server.record_url).read_bytes() == CONTENT


def test_cancel_interrupts_a_silent_server(server: Server, tmp_path: Path) -> None:
    server.behaviour.stall_after = 65_536
    stop = threading.Event()
    threads_before = threading.active_count()
    with pytest.raises(DownloadCancelled):
        download(
            MODEL,
            tmp_path,
            progress=lambda done, total: stop.set() if done else None,
            cancelled=stop.is_set,
            record_url=server.record_url,
            timeout_s=60.0,
        )
    assert not [t for t in threading.enumerate() if t.name == "download-cancel-watch"]
    assert threading.active_count() <= threads_before + 1  # the server's own thread for the stalled answer


def test_cancelled_before_the_start_fetches_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadCancelled):
        download(MODEL, tmp_path, cancelled=lambda: True, record_url=server.record_url)
    assert "/file" not in [path for path, _ in server.behaviour.requests]


# ---- every failure is one sentence ---------------------------------------------------------------------------------


def test_stall(server: Server, tmp_path: Path) -> None:
    server.behaviour.stall_after = 131_072
    fails(server, tmp_path, "went silent", timeout_s=0.3)
    assert part_of(tmp_path).stat().st_size > 0


@pytest.mark.parametrize(
    ("status", "words"), [(404, "not found"), (403, "does not let"), (429, "wait"), (500, "later")]
)
@pytest.mark.parametrize("which", ["record_status", "file_status"])
def test_refusals(server: Server, tmp_path: Path, status: int, words: str, which: str) -> None:
    setattr(server.behaviour, which, status)
    assert str(status) in str(fails(server, tmp_path, words))


def test_wrong_checksum(server: Server, tmp_path: Path) -> None:
    server.behaviour.content = b"!" + CONTENT[1:]
    fails(server, tmp_path, "arrived damaged")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>maintenance</html>",
        b"",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"{}",
        b'{"files": 3}',
        b'{"files": []}',
        b"[" * 9999,
    ],
)
def test_garbage_instead_of_the_record(server: Server, tmp_path: Path, body: bytes) -> None:
    server.behaviour.record_body = body
    fails(server, tmp_path, "not the record|lists no files|does not hold")


def test_an_endless_record_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_RECORD_LIMIT_BYTES", 1000)
    server.behaviour.record_body = b" " * 200_000
    fails(server, tmp_path, "not the record")


@pytest.mark.parametrize(
    ("field_name", "value", "words"),
    [
        ("file_name", "12_state.pth", "does not hold 34740000_state.pth"),
        ("size", None, "how large"),
        ("size", -3, "how large"),
        ("size", "big", "how large"),
        ("checksum", "", "no checksum"),
        ("checksum", "crc32:1234", "unknown kind"),
    ],
)
def test_a_record_that_lacks_something(
    server: Server, tmp_path: Path, field_name: str, value: object, words: str
) -> None:
    setattr(server.behaviour, field_name, value)
    fails(server, tmp_path, words)


def test_more_than_announced(server: Server, tmp_path: Path) -> None:
    server.behaviour.size = len(CONTENT) - 100_000
    fails(server, tmp_path, "sent more")
    assert not list(tmp_path.iterdir())


def test_a_link_that_is_not_http(server: Server, tmp_path: Path) -> None:
    entry = {"key": MODEL.file_name, "size": 5, "checksum": MD5, "links": {"self": "file:///etc/passwd"}}
    server.behaviour.record_body = json.dumps({"files": [entry]}).encode()
    fails(server, tmp_path, "no usable link")


def test_no_connection(server: Server, tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound but not listening: refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/record"
        fails(server, tmp_path, "No connection to 127.0.0.1", record_url=url)


def test_unknown_host(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_dns(*arguments: object, **named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_dns)
    fails(server, tmp_path, "zenodo.invalid was not found", record_url="http://zenodo.invalid/record")


def test_disk_space_is_checked_first(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    fails(server, tmp_path, "needs 524 kB on the disk, but only 1 kB are free")
    assert "/file" not in [path for path, _ in server.behaviour.requests]


def test_space_for_the_import_is_kept_free(server: Server, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    fails(server, tmp_path, "on the disk", reserve_bytes=2 * free)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_disk_full_in_the_middle(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).symlink_to("/dev/full")
    fails(server, tmp_path, "No space left on device")


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="cannot be written to"):
        download(MODEL, tmp_path / "taken", record_url=server.record_url)
    assert server.behaviour.requests == []
