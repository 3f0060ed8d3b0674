"""Picture files: upright, in the right colours, every page, refused by name when they cannot be read."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from aipg_plugin.errors import GuardError, MediaError
from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.media.images import PictureFile, encode_pages, is_picture
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Source
from tests.media.clips import guarded, number_of

COLOURS = {(0, 0): (200, 30, 40), (0, 1): (20, 180, 60), (1, 0): (30, 50, 210), (1, 1): (230, 220, 40)}  # (y, x): RGB


def coloured(w: int = 96, h: int = 64) -> np.ndarray:
    """(h, w, 3) RGB of four coloured quarters."""
    rgb = np.zeros((h, w, 3), np.uint8)
    for (y, x), colour in COLOURS.items():
        rgb[y * h // 2:(y + 1) * h // 2, x * w // 2:(x + 1) * w // 2] = colour
    return rgb


def pages_of(path: Path) -> list[np.ndarray]:
    """RGB of every page."""
    with PictureFile(path) as picture:
        pages = list(picture)
    assert not any(page.bgr.flags.writeable for page in pages)
    return [page.bgr[..., ::-1] for page in pages]


# EXIF orientation (CIPA DC-008, tag 274): how the shown picture follows from the stored one.
SHOWN = {1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
         5: lambda p: p.transpose(1, 0, 2), 6: lambda p: np.rot90(p, -1), 7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
         8: np.rot90}


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".jpg"])
def test_pictures_are_turned_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"in{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {"quality": 98, "subsampling": 0} if suffix == ".jpg" else {}
    Image.fromarray(coloured()).save(path, exif=exif, **options)
    (shown,) = pages_of(path)
    wanted = SHOWN[orientation](coloured())
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - wanted).mean() < 3


@pytest.mark.parametrize("mode", ["P", "RGBA", "PA", "CMYK", "YCbCr", "RGB"])
def test_colours_are_kept(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("in.tif" if mode in {"CMYK", "YCbCr"} else "in.png")
    image = Image.fromarray(coloured())
    if mode.startswith("P"):
        image.quantize(8).save(path, **({"transparency": 3} if mode == "PA" else {}))
    else:
        image.convert(mode).save(path)
    (shown,) = pages_of(path)
    assert np.abs(shown.astype(int) - coloured()).mean() < 8


@pytest.mark.parametrize(("mode", "dtype", "factor"), [("1", bool, 255), ("L", np.uint8, 1), ("I;16", np.uint16, 257)])
def test_greys_are_kept(tmp_path: Path, mode: str, dtype: type, factor: int) -> None:
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.int64), (8, 1))
    stored = (ramp > 127) if mode == "1" else (ramp * factor).astype(dtype)
    Image.fromarray(stored).save(tmp_path / "in.png")
    (shown,) = pages_of(tmp_path / "in.png")
    np.testing.assert_allclose(shown, np.repeat((stored * 255 if mode == "1" else ramp)[..., None], 3, 2), atol=1)


def test_a_colour_profile_is_followed(tmp_path: Path) -> None:
    linear = Image.fromarray(np.full((8, 8, 3), 128, np.uint8))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    linear.save(tmp_path / "same.png", icc_profile=lab)
    linear.save(tmp_path / "broken.png", icc_profile=b"no profile")
    assert (pages_of(tmp_path / "same.png")[0] == 128).all()
    assert (pages_of(tmp_path / "broken.png")[0] == 128).all()


def numbered_pages(count: int = 3) -> list[Image.Image]:
    return [Image.fromarray(np.full((20, 30, 3), 40 * (number + 1), np.uint8)) for number in range(count)]


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png", ".avif"])
def test_every_page_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    first, *others = numbered_pages()
    timing = {} if suffix == ".tif" else {"duration": 120}
    first.save(path, save_all=True, append_images=others, **timing)
    with PictureFile(path) as picture:
        assert picture.pages == 3
        pages = list(picture)
    np.testing.assert_allclose([page.bgr.mean() for page in pages], [40, 80, 120], atol=3)
    assert {page.shown_s for page in pages} == ({0.0} if suffix == ".tif" else {0.12})


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png", ".avif"])
def test_every_page_is_written(tmp_path: Path, suffix: str) -> None:
    frames = [guarded(number, pts_s=0.0) for number in (5, 90, 200)]
    (tmp_path / f"out{suffix}").write_bytes(encode_pages([(frame, 0.2) for frame in frames], suffix))
    assert [number_of(page[..., 1]) for page in pages_of(tmp_path / f"out{suffix}")] == [5, 90, 200]


def test_pages_a_format_cannot_hold_are_refused() -> None:
    with pytest.raises(MediaError, match=r"\.jpg pictures have one page, not 2"):
        encode_pages([(guarded(1, pts_s=0.0), 0.0)] * 2, ".jpg")
    with pytest.raises(MediaError, match=r"\.heic"):
        encode_pages([(guarded(1, pts_s=0.0), 0.0)], ".heic")
    with pytest.raises(GuardError):
        encode_pages([(object(), 0.0)], ".png")  # type: ignore[list-item]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".avif"])
def test_every_ending_is_written_without_a_word(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (tmp_path / f"out{suffix}").write_bytes(encode_pages([(guarded(77, pts_s=0.0), 0.0)], suffix))
    assert number_of(pages_of(tmp_path / f"out{suffix}")[0][..., 1]) == 77
    assert capfd.readouterr() == ("", "")


def bomb(path: Path, w: int = 40_000, h: int = 30_000) -> Path:
    """A PNG of a hundred kilobytes that would fill gigabytes."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row, packer = bytes(1 + w // 8), zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(h)) + packer.flush()
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 1, 0, 0, 0, 0)) +
                     chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("name", "data", "why"), [
    ("a.jpg", b"", "not a picture"), ("a.jpg", b"\xff\xd8\xff\xe0 broken", "."), ("a.png", b"\x89PNG\r\n\x1a\n", "."),
    ("a.heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
    ("photo", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC")])
def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert is_picture(tmp_path / name) is not (name == "a.heic" and not data)
    with pytest.raises(MediaError, match=why) as caught, PictureFile(tmp_path / name) as picture:
        list(picture)
    assert name in str(caught.value)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = bomb(tmp_path / "huge.png")
    assert is_picture(path)
    with pytest.raises(MediaError, match=r"huge\.png: it has more pixels"):
        PictureFile(path)


def test_a_cut_off_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_pages([(guarded(9, pts_s=0.0), 0.0)], ".png"))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:len(whole) // 2])
    with pytest.raises(MediaError, match=r"a\.png"), PictureFile(tmp_path / "a.png") as picture:
        list(picture)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_pages([(guarded(9, pts_s=0.0), 0.0)], ".png"))
    (tmp_path / "clip.mp4").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "noending").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "text.txt").write_text("hello")
    assert is_picture(tmp_path / "clip.mp4")
    assert is_picture(tmp_path / "noending")
    assert not is_picture(tmp_path / "text.txt")
    assert is_picture(tmp_path / "to be written.PNG")
    assert not is_picture(tmp_path / "to be written.mp4")


def test_a_source_gives_every_page(tmp_path: Path) -> None:
    first, *others = numbered_pages()
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    with open_source(Source(str(tmp_path / "a.tif")), "1") as source:
        frames = [item for item in source if isinstance(item, Frame)]
    assert [frame.format for frame in frames] == [PixelFormat.BGR24] * 3
    assert [frame.pts_s for frame in frames] == [0.0, 1.0, 2.0]
    assert [int(frame.planes[0].mean()) for frame in frames] == [40, 80, 120]
