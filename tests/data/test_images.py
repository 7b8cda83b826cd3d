"""Pictures: every colour mode and rotation, the resize policy, limits, and files that are no pictures."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from somscope.data import open_collection
from somscope.data.image_stack import parse_image_size, stack_images
from somscope.data.images import MAX_IMAGE_PIXELS, UnusableImage, decode_image, read_header
from somscope.errors import DataError, InputError


def _png_header(width, height):
    """A PNG that declares width x height grey pixels and holds one byte of them."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0")),
    ]
    body = b"".join(
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _first(path, **options):
    collection = open_collection(path.parent, **options)
    assert len(collection) == 1
    return collection.features[0]


@pytest.mark.parametrize("suffix", ["png", "webp", "gif", "bmp", "tif", "tiff", "jpg", "jpeg", "JPG"])
def test_formats(save, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    pixels = _first(save(f"a.{suffix}", (200, 10, 10), **options))
    assert pixels.shape == (10, 20, 3)
    np.testing.assert_allclose(pixels.reshape(-1, 3), np.tile([200, 10, 10], (200, 1)), atol=2)


def test_gif_gives_its_first_frame(save):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pixels = _first(save("a.gif", (255, 0, 0), (8, 8), save_all=True, append_images=frames[1:]))
    assert pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [None, 40, "24x48"])
def test_exif_orientation(save, orientation, size):
    rng = np.random.default_rng(0)
    upright = Image.fromarray(rng.integers(0, 255, (30, 50, 3), dtype=np.uint8))
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's inverse of each orientation
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save("a.png", np.asarray(stored), exif=exif)
    if size is None:
        np.testing.assert_array_equal(_first(path), np.asarray(upright))
        assert read_header(path).width == 50
    else:
        plain = save("../plain/a.png", np.asarray(upright))
        difference = _first(path, image_size=size).astype(int) - _first(plain, image_size=size)
        assert np.abs(difference).max() <= 1  # resampling rows before columns rounds differently


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, [255]),
        ("L", 77, [77]),
        ("LA", (100, 0), [255]),
        ("LA", (100, 255), [100]),
        ("RGB", (1, 2, 3), [1, 2, 3]),
        ("RGBA", (0, 0, 0, 0), [255, 255, 255]),
        ("RGBA", (0, 100, 200, 255), [0, 100, 200]),
        ("RGBA", (0, 0, 0, 51), [204, 204, 204]),
        ("I;16", 65535, [255]),
        ("I;16", 257 * 9, [9]),
    ],
)
def test_png_modes(save, mode, colour, expected):
    pixels = _first(save("a.png", colour, mode=mode))
    assert pixels[0, 0].tolist() == expected
    assert (pixels == pixels[0, 0]).all()


def test_32_bit_grey_holds_16_bits(save):
    assert _first(save("a/a.tif", np.full((4, 4), 257 * 130, np.int32)))[0, 0].tolist() == [130]
    with pytest.raises(DataError, match="integer grey values"):
        open_collection(save("b/a.tif", np.full((4, 4), 70_000, np.int32)).parent)


def test_cmyk_jpeg_and_tiff(save):
    for suffix in ("jpg", "tif"):
        path = save(f"{suffix}/a.{suffix}", (0, 255, 255, 0), mode="CMYK")
        np.testing.assert_allclose(_first(path)[0, 0], [255, 0, 0], atol=3)


def test_palette_with_transparency(save):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((0, 0), 1)
    path = save("seed.png")
    path.unlink()
    image.save(path.parent / "a.png", transparency=0)
    pixels = _first(path)
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[2, 2].tolist() == [255, 255, 255]


def test_palette_of_greys_is_grey(save):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 50, 50, 50])
    path = save("seed.png")
    path.unlink()
    image.save(path.parent / "a.png")
    assert _first(path).shape == (4, 4, 1)
    assert _first(path)[0, 0, 0] == 50


def test_rgb_png_with_a_transparent_colour(save):
    path = save("a.png", (5, 6, 7), transparency=(5, 6, 7))
    assert _first(path)[0, 0].tolist() == [255, 255, 255]


def test_floating_tiff(save):
    values = np.linspace(0, 1, 200, dtype=np.float32).reshape(10, 20)
    np.testing.assert_array_equal(_first(save("a/a.tif", values))[..., 0], np.rint(values * 255))
    with pytest.raises(DataError, match=r"floating-point grey values 0\.\.7 outside 0\.\.1"):
        open_collection(save("b/a.tif", values * 7).parent)


def test_grey_only_when_all_are_grey(save):
    folder = save("a.png", 9, mode="L").parent
    assert open_collection(folder).image_shape == (10, 20, 1)
    save("b.png", (1, 2, 3))
    mixed = open_collection(folder)
    assert mixed.image_shape == (10, 20, 3)
    assert mixed.features[0, 0, 0].tolist() == [9, 9, 9]


def test_policy_keeps_small_images_of_one_size(save):
    folder = save("a.png", size=(64, 48)).parent
    save("b.png", size=(64, 48))
    collection = open_collection(folder)
    assert collection.image_shape == (48, 64, 3)
    assert collection.source["images"] == "as they are, 48x64 pixels"


@pytest.mark.parametrize("sizes", [[(65, 64)], [(20, 10), (10, 20)], [(500, 100)]])
def test_policy_fits_others_into_a_square(save, sizes):
    for number, size in enumerate(sizes):
        folder = save(f"{number}.png", size=size).parent
    collection = open_collection(folder)
    assert collection.image_shape == (64, 64, 3)
    assert collection.source["images"] == "resized to cover 64x64 pixels, centre cropped"


def test_centre_crop_keeps_the_middle(save):
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    assert (_first(save("a.png", pixels), image_size=50) >= 250).mean() > 0.95
    assert _first(save("a.png", pixels), image_size="25x75").shape == (25, 75, 3)


def test_resizing_is_antialiased(save):
    checker = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(_first(save("a.png", checker), image_size=32).astype(int) - 127).max() < 8


def test_jpeg_draft_agrees_with_the_whole_decoding(save):
    ramp = np.linspace(0, 255, 1200)[None, :, None] * np.ones((900, 1, 3))
    path = save("a.jpg", ramp.astype(np.uint8), quality=95)
    with Image.open(path) as image:
        whole = image.crop((150, 0, 1050, 900)).resize((64, 64), Image.Resampling.LANCZOS)
    assert np.abs(_first(path, image_size=64).astype(int) - np.asarray(whole)).max() <= 4


def test_skipped_images_are_counted_and_named(save, photos):
    rng = np.random.default_rng(0)
    for name in ("a.png", "z.png"):
        save(name, rng.integers(0, 255, (20, 20, 3), dtype=np.uint8))
    save("text.jpg", b"this is a letter, not a photograph")
    save("empty.png", b"")
    save("huge.png", _png_header(30_000, 30_000))
    save("large.png", _png_header(10_001, 10_000))
    whole = save("whole.jpg", rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).read_bytes()
    (photos / "whole.jpg").unlink()
    save("cut.jpg", whole[: len(whole) // 2])
    collection = open_collection(photos)
    assert collection.ids.tolist() == ["a.png", "z.png"]
    why = {item.where: item.why for item in collection.skipped}
    assert set(why) == {"text.jpg", "empty.png", "huge.png", "large.png", "cut.jpg"}
    assert "known format" in why["text.jpg"]
    assert why["empty.png"] == "empty file"
    assert why["huge.png"] == why["large.png"] == f"declares more than {MAX_IMAGE_PIXELS:,} pixels"
    assert "truncated" in why["cut.jpg"].lower()
    np.testing.assert_array_equal(collection.features[1], np.asarray(Image.open(photos / "z.png")))


def test_nothing_usable_says_why(save, photos):
    for number in range(5):
        save(f"{number}.jpg", b"no picture")
    with pytest.raises(DataError, match=r"none of 5 images can be used \(0\.jpg: not an image"):
        open_collection(photos)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_files_never_do_more_than_get_skipped(save, seed):
    rng = np.random.default_rng(seed)
    suffix = ["png", "jpg", "gif", "tif", "webp", "bmp"][seed % 6]
    whole = save(f"a.{suffix}", rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)).read_bytes()
    data = bytearray(whole)
    for place in rng.integers(0, len(data), 12):
        data[place] = rng.integers(0, 256)
    sources = [bytes(data), bytes(data[: len(data) // 2])]
    sources.append(whole)
    stack = stack_images(sources, ["flipped", "cut", "whole"])
    assert len(stack.features) + len(stack.skipped) == 3
    assert 2 in stack.kept


def test_sources_may_be_bytes_or_pictures(save):
    path = save("a.png")
    for source in (path, path.read_bytes(), Image.open(path)):
        assert decode_image(source, (10, 20, 3))[0, 0].tolist() == [200, 10, 10]
    with pytest.raises(UnusableImage, match="empty"):
        read_header(b"")


@pytest.mark.parametrize(("given", "size"), [(None, None), (32, (32, 32)), ("32", (32, 32)), ("4x6", (4, 6))])
def test_image_size(given, size):
    assert parse_image_size(given) == size


@pytest.mark.parametrize("given", [0, -3, "axb", "1x2x3", 5000, "", (1, 2, 3), 2.5, True])
def test_image_size_refused(given):
    with pytest.raises(InputError, match="image_size"):
        parse_image_size(given)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_large_jpeg_is_turned_too(save, orientation):
    rng = np.random.default_rng(1)
    smooth = Image.fromarray(rng.integers(0, 255, (6, 10, 3), dtype=np.uint8)).resize((1000, 600))
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[
        orientation
    ]
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = save("a/a.jpg", np.asarray(smooth.transpose(turn)), exif=exif, quality=95)
    upright = save("b/a.jpg", np.asarray(smooth), quality=95)
    options = {"image_size": "30x50"}
    assert np.abs(_first(turned, **options).astype(int) - _first(upright, **options)).max() <= 8


def test_an_interrupt_ends_the_decoding(save):
    sources = [save(f"{n}.png", size=(200, 200)).read_bytes() for n in range(3)] * 200
    calls = []

    class Interrupting(list):
        def __getitem__(self, row):
            calls.append(row)
            if len(calls) == 700:  # the headers are read, the decoding has begun
                raise KeyboardInterrupt
            return super().__getitem__(row)

    with pytest.raises(KeyboardInterrupt):
        stack_images(Interrupting(sources), [""] * 600)
    assert len(calls) < 1200
