"""What a drop or a paste holds, told from its mime data."""

import base64
from pathlib import Path

from PySide6.QtCore import QMimeData, QUrl

from automod_studio.windows import drops
from tests.studio.pictures import make_picture


def urls(*texts: str) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl(t) for t in texts])
    return mime


def test_files_are_told_apart_by_suffix() -> None:
    dropped = drops.what_is_in(urls("file:///a.jpg", "file:///b.safetensors", "file:///c.PTH", "file:///folder"))
    assert dropped.models == (Path("/b.safetensors"),)
    assert dropped.checkpoints == (Path("/c.PTH"),)
    assert [p.path for p in dropped.photos] == ["/a.jpg", "/folder"]


def test_a_browser_offers_a_link_and_the_picture(tmp_path: Path) -> None:
    mime = urls("https://example.org/pictures/anna.jpg")
    data = make_picture(tmp_path / "x.png").read_bytes()
    mime.setData("image/bmp", b"BM")
    mime.setData("image/png", data)
    (item,) = drops.what_is_in(mime).photos
    assert (item.name, item.data) == ("anna.jpg", data)


def test_a_data_url_is_a_picture(tmp_path: Path) -> None:
    data = make_picture(tmp_path / "x.png").read_bytes()
    mime = QMimeData()
    mime.setText("data:image/png;base64," + base64.b64encode(data).decode())
    (item,) = drops.what_is_in(mime).photos
    assert item.data == data
    mime.setText("data:image/png;base64,????")
    assert not drops.what_is_in(mime).photos[0:1] or drops.what_is_in(mime).photos[0].data != data


def test_a_link_alone_and_nothing_at_all() -> None:
    assert drops.what_is_in(urls("https://example.org/a.png")).only_link
    assert not drops.what_is_in(QMimeData()).is_something
    text = QMimeData()
    text.setText("/no/such/file.png")
    assert not drops.what_is_in(text).is_something
    assert not drops.is_welcome(text)
