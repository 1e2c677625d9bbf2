"""The models that the authors of Deep Automodulators published: what there is, and fetching one when asked.

Nothing here touches the network unless `look_up` or `download` is called. Where a file lies, how large it is and
its checksum come from the Zenodo record at the time of the call; they are not written down in the program.
"""

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from automod_core.errors import UserError

if TYPE_CHECKING:
    from requests import Response

log = logging.getLogger(__name__)

DOI = "10.5281/zenodo.4298894"
DOI_URL = f"https://doi.org/{DOI}"
RECORD_URL = "https://zenodo.org/api/records/4298894"

_USER_AGENT = "automod-studio (+https://doi.org/10.5281/zenodo.4298894)"  # Zenodo turns nameless clients away
_CHUNK_BYTES = 64 * 1024  # small, so that a slow line still moves the progress bar
_RECORD_LIMIT_BYTES = 4 * 1024 * 1024
_CONNECT_TIMEOUT_S = 10.0
_CANCEL_POLL_S = 0.1

Progress = Callable[[int, int], object]
Cancelled = Callable[[], bool]


class DownloadCancelled(UserError):
    """The person stopped the download; what has arrived is kept for the next time."""


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """One of the authors' checkpoints.

    `size_bytes` is None until the record has been asked; `estimated_bytes` is worked out from what such a checkpoint
    holds (two decoders, the encoder and the optimisers' moments, float32), good enough to say "about 0.8 GB".
    """

    key: str
    title: str
    trained_on: str
    resolution: int  # pixels per side
    iteration: int  # images seen, and what the file is named after
    file_name: str
    licence: str
    domain: str  # "photos" for faces on photos, else what the pictures show
    estimated_bytes: int
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What the record says about one file."""

    url: str
    size_bytes: int
    checksum: str  # "md5:<hex>"
    licence: str  # the record's own licence id, "" if it names none


_FFHQ = "The pictures are under CC BY-NC-SA 4.0: for non-commercial use, with credit."
_CELEBA = "The pictures may be used for non-commercial research only."
_LSUN = "LSUN names no licence for its pictures; it was made for research."


def _published(
    key: str, title: str, trained_on: str, domain: str, resolution: int, iteration: int, licence: str, megabytes: int
) -> PublishedModel:
    return PublishedModel(
        key=key,
        title=title,
        trained_on=trained_on,
        resolution=resolution,
        iteration=iteration,
        file_name=f"{iteration}_state.pth",
        licence=licence,
        domain=domain,
        estimated_bytes=megabytes * 1_000_000,
    )


PUBLISHED: tuple[PublishedModel, ...] = (
    _published("ffhq512", "Faces 512", "FFHQ, 60,000 portraits from Flickr", "photos", 512, 42420000, _FFHQ, 800),
    _published("ffhq256", "Faces 256", "FFHQ, 60,000 portraits from Flickr", "photos", 256, 34740000, _FFHQ, 800),
    _published(
        "celebahq256",
        "Celebrities 256",
        "CelebA-HQ, 27,000 portraits of celebrities",
        "photos",
        256,
        31877148,
        _CELEBA,
        700,
    ),
    _published("lsuncars256", "Cars 256", "LSUN Cars, photos of cars", "cars", 256, 32057140, _LSUN, 800),
    _published(
        "lsunbedrooms256", "Bedrooms 256", "LSUN Bedrooms, photos of bedrooms", "bedrooms", 256, 27574284, _LSUN, 800
    ),
)


def find(key: str) -> PublishedModel:
    """The published model of that key.

    Raises:
        UserError: there is none.
    """
    for model in PUBLISHED:
        if model.key == key:
            return model
    raise UserError(f"There is no published model {key!r}; there are {', '.join(m.key for m in PUBLISHED)}.")


# ---- the record ----------------------------------------------------------------------------------------------------


def look_up(model: PublishedModel, *, record_url: str = RECORD_URL, timeout_s: float = 30.0) -> RemoteFile:
    """Ask the Zenodo record where the model's file lies, how large it is and what its checksum is.

    Raises:
        UserError: no connection, the record is not there, or it does not hold the file.
    """
    import requests

    host = urlsplit(record_url).hostname or record_url
    with _plain_network_errors(host):
        response = requests.get(
            record_url,
            headers={"User-Agent": _USER_AGENT, "Accept": "application/json"},
            timeout=(min(timeout_s, _CONNECT_TIMEOUT_S), timeout_s),
            stream=True,
        )
        with response:
            _check_status(response, f"The record {DOI}")
            body = bytearray()
            for chunk in response.iter_content(_CHUNK_BYTES):
                body += chunk
                if len(body) > _RECORD_LIMIT_BYTES:
                    raise UserError(f"{host} answered with something that is not the record {DOI}.")
    try:
        record = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{host} answered with something that is not the record {DOI}.") from error
    return _file_in_record(record, model, record_url)


def _file_in_record(record: Any, model: PublishedModel, record_url: str) -> RemoteFile:
    """Read the answer; Zenodo has changed its shape more than once, so several are understood."""
    for entry in _file_entries(record):
        name = entry.get("key") or entry.get("filename")
        if isinstance(name, str) and _is_file_of(name, model):
            break
    else:
        raise UserError(f"The record {DOI} does not hold {model.file_name} (the model {model.title}).")

    size, checksum = entry.get("size", entry.get("filesize")), entry.get("checksum")
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        raise UserError(f"The record {DOI} does not say how large {name} is.")
    if not isinstance(checksum, str) or not checksum.strip():
        raise UserError(f"The record {DOI} gives no checksum for {name}, so a download could not be checked.")
    checksum = checksum.strip() if ":" in checksum else f"md5:{checksum.strip()}"
    if checksum.split(":")[0] not in ("md5", "sha1", "sha256", "sha512"):
        raise UserError(f"The record {DOI} gives a checksum of an unknown kind for {name}.")
    return RemoteFile(_file_url(entry, name, record_url), size, checksum.lower(), _licence_of(record))


def _file_entries(record: Any) -> list[dict[str, Any]]:
    files = record.get("files") if isinstance(record, dict) else None
    if isinstance(files, dict):  # {"entries": {name: {...}}} or {"entries": [...]}
        entries = files.get("entries", [])
        files = list(entries.values()) if isinstance(entries, dict) else entries
    if not isinstance(files, list):
        raise UserError(f"The record {DOI} lists no files.")
    return [entry for entry in files if isinstance(entry, dict)]


def _is_file_of(name: str, model: PublishedModel) -> bool:
    """The names in the record may differ in their tail; the iteration number tells the files apart."""
    return name == model.file_name or (name.split("_")[0] == str(model.iteration) and name.endswith(".pth"))


def _file_url(entry: dict[str, Any], name: str, record_url: str) -> str:
    found = entry.get("links")
    links: dict[str, Any] = found if isinstance(found, dict) else {}
    url = links.get("content") or links.get("download") or links.get("self")
    if not isinstance(url, str):
        url = f"{record_url}/files/{quote(name)}/content"
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"The record {DOI} gives no usable link for {name}.")
    return url


def _licence_of(record: Any) -> str:
    metadata = record.get("metadata") if isinstance(record, dict) else None
    licence = metadata.get("license") if isinstance(metadata, dict) else None
    name = licence.get("id") if isinstance(licence, dict) else licence
    return name if isinstance(name, str) else ""


# ---- the download --------------------------------------------------------------------------------------------------


def download(
    model: PublishedModel,
    folder: Path,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    record_url: str = RECORD_URL,
    timeout_s: float = 30.0,
    reserve_bytes: int = 0,
) -> Path:
    """Fetch a published checkpoint into `folder`, checked against the record's checksum.

    A file that is there already and agrees with the checksum is not fetched again. What arrived before a cut or a
    cancel stays as a `.part` file and is gone on with the next time, if the server can do that.

    Args:
        model: one of PUBLISHED.
        folder: made if missing.
        progress: called with (bytes done, bytes in all) from this thread, at most once per 64 KiB.
        cancelled: asked about ten times a second, from a second thread too.
        record_url: the record's address in Zenodo's API; tests point it elsewhere.
        timeout_s: how long the server may stay silent.
        reserve_bytes: free space that must be left once the file is there.

    Returns:
        The path of the file, `folder / model.file_name`.

    Raises:
        DownloadCancelled: `cancelled` said so.
        UserError: anything else that went wrong, in one sentence.
    """
    progress = progress or (lambda done, total: None)
    cancelled = cancelled or (lambda: False)
    _prepare_folder(folder)
    remote = look_up(model, record_url=record_url, timeout_s=timeout_s)
    fetch = _ResumingDownloader(model, folder, remote, progress, cancelled, timeout_s, reserve_bytes)
    fetch.stop_if_cancelled()
    while True:
        try:
            path = _retrieve(model, folder, remote, fetch)
            progress(remote.size_bytes, remote.size_bytes)
            return path
        except _WrongChecksum as error:
            # The first part may stem from an earlier, damaged attempt: that deserves one clean start.
            if not fetch.resumed:
                raise UserError(
                    f"{model.file_name} arrived damaged: its checksum is not the one that {DOI} gives; try again."
                ) from error
            log.warning("%s: wrong checksum after a resumed download, starting over", model.file_name)


class _WrongChecksum(Exception):
    """The whole file is there, but it is not the file of the record."""


def _retrieve(model: PublishedModel, folder: Path, remote: RemoteFile, fetch: "_ResumingDownloader") -> Path:
    """Let pooch decide whether to fetch, check the checksum and put the file in place in one step."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # it would print to the terminal otherwise
    try:
        path = pooch.retrieve(remote.url, remote.checksum, fname=model.file_name, path=folder, downloader=fetch)
    except ValueError as error:  # pooch's word for a checksum that does not match
        raise _WrongChecksum(str(error)) from error
    except OSError as error:
        raise UserError(f"{folder / model.file_name} cannot be written: {error.strerror or error}.") from error
    return Path(path)


def _prepare_folder(folder: Path) -> None:
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be written to: {error.strerror or error}.") from error


class _ResumingDownloader:
    """A pooch downloader that goes on where an earlier attempt stopped, reports progress and can be cancelled."""

    def __init__(
        self,
        model: PublishedModel,
        folder: Path,
        remote: RemoteFile,
        progress: Progress,
        cancelled: Cancelled,
        timeout_s: float,
        reserve_bytes: int,
    ) -> None:
        self.resumed = False
        self._model, self._folder, self._remote = model, folder, remote
        self._progress, self._cancelled = progress, cancelled
        self._timeout_s, self._reserve_bytes = timeout_s, reserve_bytes
        # The checksum in the name ties the part to this very version of the file.
        self._part = folder / f"{model.file_name}.{remote.checksum.split(':')[1][:8]}.part"

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Fetch `url` into the part file, then hand it to pooch as `output_file`."""
        have = self._usable_bytes()
        self.resumed = have > 0
        self._check_space(self._remote.size_bytes - have)
        if have < self._remote.size_bytes:
            with _plain_network_errors(urlsplit(url).hostname or url, self._cancelled):
                self._fetch(url, have)
        self.stop_if_cancelled()
        os.replace(self._part, output_file)

    def stop_if_cancelled(self) -> None:
        """Leave by an exception once the person has cancelled."""
        if self._cancelled():
            raise DownloadCancelled("The download was cancelled.")

    def _usable_bytes(self) -> int:
        try:
            have = self._part.stat().st_size
        except FileNotFoundError:
            return 0
        if have <= self._remote.size_bytes:
            return have
        self._part.unlink()
        return 0

    def _check_space(self, missing: int) -> None:
        free = shutil.disk_usage(self._folder).free
        needed = missing + self._reserve_bytes
        if needed > free:
            raise UserError(
                f"{self._model.title} needs {format_bytes(needed)} on the disk, but only {format_bytes(free)} "
                f"are free in {self._folder}."
            )

    def _fetch(self, url: str, have: int) -> None:
        """One request, from byte `have` on if the server agrees, else from the start."""
        import requests

        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        timeout = (min(self._timeout_s, _CONNECT_TIMEOUT_S), self._timeout_s)
        with requests.get(url, headers=headers, timeout=timeout, stream=True) as response:
            goes_on = response.status_code == 206 and _starts_at(response, have)
            if have and (response.status_code == 416 or (response.status_code == 206 and not goes_on)):
                self._part.unlink()  # the server cannot go on from there: a clean start, without a range
                self.resumed = False
                self._fetch(url, 0)
                return
            _check_status(response, self._model.file_name)
            if have and not goes_on:  # the server ignored the range and sends everything
                have, self.resumed = 0, False
                self._check_space(self._remote.size_bytes)
            with _shut_down_on_cancel(response, self._cancelled):
                self._write(response, have)

    def _write(self, response: "Response", have: int) -> None:
        total = self._remote.size_bytes
        with open(self._part, "r+b" if have else "wb") as file:
            file.seek(have)
            self._progress(have, total)
            for chunk in response.iter_content(_CHUNK_BYTES):
                self.stop_if_cancelled()
                file.write(chunk)
                have += len(chunk)
                if have > total:
                    break
                self._progress(have, total)
            file.truncate()
        self.stop_if_cancelled()
        if have > total:
            self._part.unlink()
            raise UserError(f"The server sent more of {self._model.file_name} than the record {DOI} announces.")
        if have < total:
            raise UserError(_cut_sentence(urlsplit(response.url).hostname or "the server"))


def _starts_at(response: "Response", position: int) -> bool:
    return response.headers.get("Content-Range", "").replace(" ", "").startswith(f"bytes{position}-")


@contextmanager
def _shut_down_on_cancel(response: "Response", cancelled: Cancelled) -> Iterator[None]:
    """While the body is read, watch `cancelled` from a second thread: a read from a silent server would block it."""
    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(_CANCEL_POLL_S):
            if cancelled():
                # The socket may be gone already: nothing is left to interrupt then.
                try:
                    response.raw.shutdown()
                except (OSError, ValueError, RuntimeError, AttributeError):
                    log.debug("nothing to shut down", exc_info=True)
                return

    watcher = threading.Thread(target=watch, name="download-cancel-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        finished.set()
        watcher.join()


# ---- errors as sentences -------------------------------------------------------------------------------------------


def _check_status(response: "Response", what: str) -> None:
    status, host = response.status_code, urlsplit(response.url).hostname
    if status in (200, 206):
        return
    if status in (404, 410):
        raise UserError(f"{what} was not found at {host} (answer {status}).")
    if status in (401, 403):
        raise UserError(f"{host} does not let this program read {what} (answer {status}).")
    if status == 429:
        raise UserError(f"{host} asks to wait before the next download (answer 429); try again in some minutes.")
    if status >= 500:
        raise UserError(f"{host} has trouble of its own right now (answer {status}); try again later.")
    raise UserError(f"{host} gave an answer that this program does not understand ({status}).")


def _cut_sentence(host: str) -> str:
    return f"The connection to {host} was cut before everything had arrived; try again to go on from there."


@contextmanager
def _plain_network_errors(host: str, cancelled: Cancelled = lambda: False) -> Iterator[None]:
    """Turn what requests can raise into one sentence for the person."""
    from requests import exceptions as trouble

    try:
        yield
    except trouble.RequestException as error:
        if cancelled():
            raise DownloadCancelled("The download was cancelled.") from error
        raise UserError(_network_sentence(error, host)) from error


def _network_sentence(error: Exception, host: str) -> str:
    from requests import exceptions as trouble

    text = str(error)
    if isinstance(error, trouble.ConnectTimeout) or "ConnectTimeoutError" in text:
        return f"{host} does not answer; check the network connection."
    if isinstance(error, trouble.ReadTimeout) or "timed out" in text.lower():
        return f"{host} went silent; try again to go on from there."
    if isinstance(error, trouble.SSLError):
        return f"No safe connection to {host} could be made."
    if isinstance(error, trouble.ProxyError):
        return f"The proxy between this computer and {host} refuses the connection."
    if "NameResolutionError" in text or "getaddrinfo" in text or "Name or service not known" in text:
        return f"{host} was not found; check the network connection."
    if isinstance(error, trouble.ChunkedEncodingError) or "Connection broken" in text or "aborted" in text:
        return _cut_sentence(host)
    if isinstance(error, trouble.ConnectionError):
        return f"No connection to {host}; check the network connection."
    return f"{host} could not be read: {text}."


def format_bytes(count: float) -> str:
    """A size for people: "812 MB", "1.2 GB" (powers of 1000)."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    if count >= 1e6:
        return f"{count / 1e6:.0f} MB"
    if count >= 1e3:
        return f"{count / 1e3:.0f} kB"
    return f"{count:.0f} bytes"
