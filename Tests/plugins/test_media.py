"""image.thumbnail and media.metadata on files made here, byte by byte: whole ones, broken ones, and ones that lie about their size."""

import json
import os
import struct
import sys
import time
import unittest
import wave
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_useful  # noqa: E402
from test_useful import NEVER, driver  # noqa: E402

RED, GREEN, BLUE, WHITE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (255, 255, 255, 255)
QUADRANTS = [RED, GREEN, BLUE, WHITE]  # upper left, upper right, lower left, lower right
# Corners as they are to be seen, by the corners as they are stored: EXIF 2.32, 4.6.4 A.
UPRIGHT = {1: "0123", 2: "1032", 3: "3210", 4: "2301", 5: "0213", 6: "2031", 7: "3120", 8: "1302"}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, colour, extra=b"", behind=b""):
    """RGBA of 8 bits; colour(x, y) -> 4 numbers."""
    rows = b"".join(b"\0" + b"".join(bytes(colour(x, y)) for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)) + extra
            + chunk(b"IDAT", zlib.compress(rows)) + behind + chunk(b"IEND", b""))


def quadrants(width=40, height=20):
    return lambda x, y: QUADRANTS[(x >= width // 2) + 2 * (y >= height // 2)]


def read_png(data):
    """(width, height, pixels): 8 bits, RGB or RGBA, not interlaced; pixels are tuples of 4."""
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, at + 8 + length)[0]
        if kind == b"IHDR":
            width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", body)
        if kind == b"IDAT":
            packed += body
        at += 12 + length
    assert depth == 8 and colour in (2, 6)
    step = 4 if colour == 6 else 3
    raw, before, pixels = zlib.decompress(packed), bytearray(width * step), []
    for y in range(height):
        start = y * (width * step + 1)
        method, row = raw[start], bytearray(raw[start + 1:start + 1 + width * step])
        for i in range(len(row)):
            left, up = row[i - step] if i >= step else 0, before[i]
            corner = before[i - step] if i >= step else 0
            near = left + up - corner
            paeth = min((abs(near - left), 0, left), (abs(near - up), 1, up), (abs(near - corner), 2, corner))[2]
            row[i] = (row[i] + [0, left, up, (left + up) // 2, paeth][method]) & 255
        before = row
        pixels.append([tuple(row[x:x + 3]) + (row[x + 3] if step == 4 else 255,) for x in range(0, len(row), step)])
    return width, height, pixels


def tiff(orientation):
    """The EXIF of an image with nothing but its orientation."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x112, 3, 1, orientation, 0, 0)


def camera_tiff():
    """Orientation 6, and a make of 4 letters, which fit into its entry."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHI4sHHIHHI", 2, 0x10F, 2, 4, b"Ada\0", 0x112, 3, 1, 6, 0, 0)


def with_exif(jpeg, block):
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block + jpeg[2:]


def deep_folder(root):
    """A folder that nobody can open by its path, not even root: the path is too long."""
    here = os.open(root, os.O_DIRECTORY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


class Case(test_useful.Case):
    def write(self, name, data):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def value(self, args):
        kind, value = self.run_one(self.handler, args)
        self.assertEqual(kind, "result", value)
        return value

    def failure(self, args):
        kind, failure = self.run_one(self.handler, args)
        self.assertEqual(kind, "failure", failure)
        return failure

    def left(self):
        """Names of files that a run forgot."""
        return [path.name for path in self.directory.rglob("*") if path.name.endswith((".tmp", ".reading"))]


class Thumbnail(Case):
    plugin, handler = "image", "image.thumbnail"

    def make(self, source, output="out.png", **args):
        out = self.directory / output
        value = self.value({"input": str(source), "output": str(out), **args})
        return value, out.read_bytes()

    def pixels(self, source, **args):
        return read_png(self.make(source, **args)[1])

    def jpeg(self, name, width=40, height=20, **args):
        """By way of the plugin: Python has no encoder of its own."""
        source = self.write("made.png", png(width, height, quadrants(width, height)))
        return self.write(name, self.make(source, "made.jpg", width=width, quality=95, **args)[1])

    def corners(self, pixels):
        return [pixels[0][0], pixels[0][-1], pixels[-1][0], pixels[-1][-1]]

    def near(self, one, other, by=12):
        self.assertLessEqual(max(abs(a - b) for a, b in zip(one, other)), by, (one, other))

    def test_contain_cover_fill(self):
        source = self.write("a.png", png(40, 20, quadrants()))
        for fit, box, size in [("contain", (10, 10), (10, 5)), ("cover", (10, 10), (10, 10)), ("fill", (8, 16), (8, 16))]:
            with self.subTest(fit):
                width, height, pixels = self.pixels(source, width=box[0], height=box[1], fit=fit)
                self.assertEqual((width, height), size)
                for seen, wanted in zip(self.corners(pixels), QUADRANTS):
                    self.near(seen, wanted)
        self.assertEqual(self.pixels(source, height=10)[:2], (20, 10))

    def test_cover_cuts_the_sides(self):
        # A red stripe left and right, which a square from the middle does not have.
        source = self.write("a.png", png(60, 20, lambda x, y: RED if x < 16 or x >= 44 else BLUE))
        _, _, pixels = self.pixels(source, width=10, height=10, fit="cover")
        for row in pixels:
            for pixel in row[1:-1]:
                self.near(pixel, BLUE)

    def test_never_larger_unless_asked(self):
        source = self.write("a.png", png(40, 20, quadrants()))
        self.assertEqual(self.pixels(source, width=400)[:2], (40, 20))
        self.assertEqual(self.pixels(source, width=200, height=200, fit="cover")[:2], (20, 20))
        self.assertEqual(self.pixels(source, width=200, height=10, fit="fill")[:2], (40, 10))
        self.assertEqual(self.pixels(source, width=400, enlarge=True)[:2], (400, 200))
        self.assertEqual(self.pixels(source, width=60, height=60, fit="cover", enlarge=True)[:2], (60, 60))

    def test_orientation(self):
        for orientation, corners in UPRIGHT.items():
            with self.subTest(orientation):
                source = self.write("a.png", png(40, 20, quadrants(), extra=chunk(b"eXIf", tiff(orientation))))
                value, data = self.make(source, width=20, height=20)
                width, height, pixels = read_png(data)
                self.assertEqual((width, height), (20, 10) if orientation < 5 else (10, 20))
                for seen, wanted in zip(self.corners(pixels), corners):
                    self.near(seen, QUADRANTS[int(wanted)])
                self.assertEqual((value["files"][0]["original_width"], value["files"][0]["width"]), (40, width))

    def test_orientation_of_a_jpeg(self):
        source = self.jpeg("a.jpg", 400, 200)
        source.write_bytes(with_exif(source.read_bytes(), tiff(6)))
        width, height, pixels = self.pixels(source, width=20, height=20)
        self.assertEqual((width, height), (10, 20))
        for seen, wanted in zip(self.corners(pixels), UPRIGHT[6]):
            self.near(seen, QUADRANTS[int(wanted)], 30)

    def test_formats(self):
        source = self.write("a.png", png(40, 20, quadrants()))
        for name, form, mark in [("o.jpg", "jpeg", b"\xff\xd8\xff"), ("o.png", "png", b"\x89PNG"), ("o.webp", "webp", b"RIFF")]:
            value, data = self.make(source, name, width=20)
            self.assertTrue(data.startswith(mark))
            self.assertEqual((value["files"][0]["format"], value["files"][0]["bytes"]), (form, len(data)))
            # And read again: the sizes and colours are those of before.
            width, height, pixels = self.pixels(self.write("again", data), width=20)
            self.assertEqual((width, height), (20, 10))
            for seen, wanted in zip(self.corners(pixels), QUADRANTS):
                self.near(seen, wanted, 60)
        value, data = self.make(source, "o.dat", width=20, format="webp")
        self.assertTrue(data.startswith(b"RIFF"))
        self.assertTrue(self.make(source, "o.dat", width=20)[1].startswith(b"\x89PNG"))

    def test_transparency(self):
        source = self.write("a.png", png(20, 20, lambda x, y: (255, 0, 0, 0) if x < 10 else (0, 0, 255, 255)))
        _, _, pixels = self.pixels(source, width=10)
        self.assertEqual(pixels[5][0][3], 0)
        self.assertEqual(pixels[5][9], BLUE)
        # What is transparent lends its colour to nobody.
        self.assertTrue(all(pixel[0] <= 8 for row in pixels for pixel in row if pixel[3] > 0))
        data = self.make(source, "o.jpg", width=20, background="#00ff00", quality=100)[1]
        self.near(self.pixels(self.write("again.jpg", data), width=20)[2][10][2], GREEN, 30)

    def test_gray_palette_and_depth(self):
        def shaped(depth, colour, rows, extra=b""):
            return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, depth, colour, 0, 0, 0)) + extra
                    + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))

        kinds = {
            "gray16": (shaped(16, 0, (b"\0" + b"\x80\x80" * 8) * 8), (128, 128, 128, 255)),
            "gray1": (shaped(1, 0, (b"\0" + b"\xff") * 8), WHITE),
            "palette": (shaped(8, 3, (b"\0" + b"\1" * 8) * 8, chunk(b"PLTE", bytes([0, 0, 0, 0, 0, 255]))), BLUE),
            "palette with alpha": (shaped(8, 3, (b"\0" + b"\1" * 8) * 8, chunk(b"PLTE", bytes([0, 0, 0, 0, 0, 255])) + chunk(b"tRNS", b"\xff\x80")),
                                   (0, 0, 255, 128)),
        }
        for name, (data, colour) in kinds.items():
            with self.subTest(name):
                self.near(self.pixels(self.write("a.png", data), width=4)[2][2][2], colour, 1)

    def test_colour_profile_stays(self):
        profile = bytearray(200)
        profile[0:4] = struct.pack(">I", 200)
        profile[16:20] = b"RGB "
        profile[36:40] = b"acsp"
        source = self.write("a.jpg", self.jpeg("a.jpg").read_bytes())
        data = source.read_bytes()
        block = b"ICC_PROFILE\0\1\1" + bytes(profile)
        source.write_bytes(data[:2] + b"\xff\xe2" + struct.pack(">H", len(block) + 2) + block + data[2:])
        self.assertIn(bytes(profile), self.make(source, "o.jpg", width=20)[1])
        self.assertIn(bytes(profile), self.make(source, "o.webp", width=20)[1])

    def test_bombs_are_refused(self):
        wide = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 6, 0, 0, 0)) + chunk(b"IDAT", b"")
        jpeg = self.jpeg("a.jpg").read_bytes()
        frame = jpeg.index(b"\xff\xc0")
        tall = jpeg[:frame + 5] + b"\xea\x60\xea\x60" + jpeg[frame + 9:]
        bits = struct.pack("<I", 16383 | 16383 << 14)
        lossless = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8L" + struct.pack("<I", 18) + b"\x2f" + bits + b"\0" * 13
        for name, data in [("a.png", wide), ("a.jpg", tall), ("a.webp", lossless)]:
            with self.subTest(name):
                began = time.monotonic()
                failure = self.failure({"input": str(self.write(name, data)), "output": str(self.directory / "o.png"), "width": 10})
                self.assertEqual((failure["code"], failure["retry"]), ("too_large", NEVER), failure)
                self.assertIn("max_pixels, 100000000", failure["message"])
                self.assertLess(time.monotonic() - began, 5)
        source = self.write("s.png", png(40, 20, quadrants()))
        args = {"input": str(source), "output": str(self.directory / "o.png"), "width": 10}
        self.assertEqual(self.failure({**args, "max_pixels": 799})["code"], "too_large")
        self.assertEqual(self.failure({**args, "max_bytes": 50})["code"], "too_large")
        self.assertEqual(self.value({**args, "max_pixels": 800})["images"], 1)
        # 64 MB of profile in 64 KB: the profile is left out, not the image.
        source = self.write("p.png", png(40, 20, quadrants(), extra=chunk(b"iCCP", b"p\0\0" + zlib.compress(b"\0" * (64 << 20)))))
        value, data = self.make(source, width=10)
        self.assertEqual((value["images"], value["warnings"], read_png(data)[0]), (1, 1, 10))

    def test_a_jpeg_of_endless_scans(self):
        jpeg = self.jpeg("a.jpg").read_bytes()
        frame, scan = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xda")
        # Progressive, and the same first scan 10,000 times.
        first = b"\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x00\x00" + jpeg[scan + 14:-2]
        bomb = jpeg[:frame] + b"\xff\xc2" + jpeg[frame + 2:scan] + first * 10_000 + b"\xff\xd9"
        failure = self.failure({"input": str(self.write("b.jpg", bomb)), "output": str(self.directory / "o.png"), "width": 10})
        self.assertEqual(failure["code"], "too_large", failure)

    def test_broken_files(self):
        whole, jpeg = png(40, 20, quadrants()), self.jpeg("a.jpg", 400, 300).read_bytes()
        webp = self.make(self.write("a.png", whole), "a.webp", width=40)[1]
        out = str(self.directory / "never.png")
        for name, data, code in [("text", b"no image at all, just words", "not_an_image"), ("empty", b"", "not_an_image"),
                                 ("half.png", whole[:len(whole) // 2], "broken_image"), ("head.png", whole[:20], "broken_image"),
                                 ("head.jpg", jpeg[:30], "broken_image"), ("half.webp", webp[:len(webp) // 2], "broken_image"),
                                 ("sum.png", whole[:60] + bytes([whole[60] ^ 255]) + whole[61:], "broken_image")]:
            with self.subTest(name):
                failure = self.failure({"input": str(self.write(name, data)), "output": out, "width": 10})
                self.assertEqual((failure["code"], failure["retry"]), (code, NEVER), failure)
                self.assertIn(name, failure["message"])
        half = self.write("half.jpg", jpeg[:len(jpeg) // 2])
        ending, log, progress = self.run_all(self.handler, {"input": str(half), "output": str(self.directory / "o.png"), "width": 10})
        self.assertEqual((ending[0], ending[1]["warnings"], progress["counters"]["warnings"]), ("result", 1, 1))
        self.assertIn("Premature end", "".join(l["message"] for l in log))
        self.assertEqual(self.failure({"input": str(half), "output": out, "width": 10, "strict": True})["code"], "broken_image")
        self.assertFalse(os.path.exists(out))
        self.assertEqual(self.left(), [])

    def test_damage_anywhere_never_crashes(self):
        whole = {"a.png": png(40, 20, quadrants(), extra=chunk(b"eXIf", tiff(6))), "a.jpg": with_exif(self.jpeg("a.jpg").read_bytes(), tiff(6))}
        whole["a.webp"] = self.make(self.write("b.png", whole["a.png"]), "b.webp", width=40)[1]
        folder = self.directory / "in"
        for name, data in whole.items():
            for i in range(0, len(data), max(1, len(data) // 60)):
                self.write(f"in/{i}-{name}", data[:i] + bytes([data[i] ^ 0xFF]) + data[i + 1:])
        value = self.value({"input": str(folder), "output": str(self.directory / "out"), "width": 10})
        self.assertEqual(value["images"] + value["errors"], len(list(folder.iterdir())))
        self.assertEqual(self.left(), [])

    def test_folder(self):
        for name in ["a.png", "b/c.png", "b/d.PNG", "b/.hidden.png"]:
            self.write(f"in/{name}", png(40, 20, quadrants()))
        self.write("in/notes.txt", b"words")
        self.write("in/bad.png", b"\x89PNG\r\n\x1a\nrubbish")
        self.write("in/fake.jpg", b"words")
        (self.directory / "in/link.png").symlink_to("a.png")
        os.mkfifo(self.directory / "in/pipe.png")
        args = {"input": str(self.directory / "in"), "output": str(self.directory / "in/small"), "width": 10, "format": "jpeg"}
        (kind, value), log, progress = self.run_all(self.handler, args)
        self.assertEqual(kind, "result", value)
        self.assertEqual((value["images"], value["errors"], value["skipped"]), (3, 2, 1))
        self.assertEqual(sorted(str(p.relative_to(args["output"])) for p in Path(args["output"]).rglob("*.jpg")),
                         ["a.png.jpg", "b/c.png.jpg", "b/d.PNG.jpg"])
        self.assertEqual([f["code"] for f in value["failed"]], ["broken_image", "not_an_image"])
        self.assertEqual((progress["stage"], progress["current"], progress["total"]), ("Making thumbnails", 6, 6))
        self.assertEqual(progress["counters"], {"images": 3, "errors": 2, "skipped": 1})
        self.assertEqual(self.left(), [])
        # Again, over what is there: the results are no input.
        again = self.value({**args, "overwrite": False})
        self.assertEqual((again["images"], again["kept"]), (0, 3))
        self.assertEqual(self.value({**args, "recursive": False})["images"], 1)

    def test_folders_that_cannot_be(self):
        out = str(self.directory / "out")
        self.assertEqual(self.failure({"input": "/no/such/folder", "output": out, "width": 9})["code"], "file_not_found")
        self.write("in/a.png", b"\x89PNG\r\n\x1a\n")
        self.assertEqual(self.failure({"input": str(self.directory / "in"), "output": out, "width": 9})["code"], "no_image")
        self.write("in/a.png", png(40, 20, quadrants()))
        self.write("file", b"")
        failure = self.failure({"input": str(self.directory / "in"), "output": str(self.directory / "file/out"), "width": 9})
        self.assertEqual((failure["code"], failure["retry"]), ("io", NEVER))
        deep_folder(self.directory / "in")
        value = self.value({"input": str(self.directory / "in"), "output": out, "width": 9})
        self.assertEqual((value["images"], value["errors"]), (1, 1))

    def test_cancel_between_and_within(self):
        first = self.write("in/0.png", png(1000, 1000, lambda x, y: RED))
        for i in range(1, 400):
            os.link(first, self.directory / f"in/{i}.png")
        out = self.directory / "out"
        args = {"input": str(self.directory / "in"), "output": str(out), "width": 500}
        self.cancel(self.handler, args, lambda a: driver.until(lambda: out.exists() and any(out.iterdir())))
        self.assertEqual(self.left(), [])
        for file in out.iterdir():
            self.assertEqual(read_png(file.read_bytes())[:2], (500, 500)) if file.name == "0.png" else None

    def test_wrong_args(self):
        args = {"input": "/a", "output": "/b", "width": 10}
        self.refused(self.handler, {"input": "/a", "output": "/b"}, '"width" or "height" must be given')
        self.refused(self.handler, {**args, "fit": "cover"}, '"height" must be given')
        self.refused(self.handler, {**args, "fit": "inside"}, "contain, cover or fill")
        self.refused(self.handler, {**args, "format": "gif"}, "jpeg, png or webp")
        self.refused(self.handler, {**args, "background": "red"}, "#ffffff")
        self.refused(self.handler, {**args, "width": 0}, "width")
        self.refused(self.handler, {**args, "input": "a"}, "absolute path")
        self.write("a.png", png(4, 4, quadrants()))
        self.refused(self.handler, {**args, "input": str(self.directory / "a.png"), "output": str(self.directory)}, "is a folder")
        for same in [str(self.directory), str(self.directory / "a.png")]:
            self.refused(self.handler, {**args, "input": same, "output": same}, "originals would be written over")


class Metadata(Case):
    plugin, handler = "media", "media.metadata"

    def setUp(self):
        super().setUp()
        self.output = self.directory / "out.jsonl"
        self.args = {"input": str(self.directory / "in"), "output": str(self.output)}

    def sound(self, name, seconds=1.5, tags=b""):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(2)
            out.setframerate(8000)
            out.writeframes(b"\0\1\0\1" * int(8000 * seconds))
        if tags:
            data = path.read_bytes() + tags
            path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
        return path

    def film(self, name, frames=50):
        """Not compressed: a line of words, and planes of 16 by 16."""
        return self.write(name, b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420jpeg\n" + (b"FRAME\n" + b"\x80" * 384) * frames)

    def lines(self):
        return {line["path"]: line for line in map(json.loads, self.output.read_text().splitlines())}

    def library(self):
        info = b"INFO" + b"INAM" + struct.pack("<I", 6) + b"Waves\0" + b"IART" + struct.pack("<I", 4) + b"Ada\0"
        self.sound("in/music/a.wav", tags=b"LIST" + struct.pack("<I", len(info)) + info)
        self.film("in/film.y4m")
        self.write("in/p.png", png(40, 20, quadrants()))
        self.write('in/odd "name"\n\u00fc.png', png(4, 4, quadrants(4, 4)))
        # The header of a JPEG is enough.
        self.write("in/c.jpg", with_exif(b"\xff\xd8\xff\xc0\x00\x11\x08\x01\x2c\x01\x90\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9", camera_tiff()))
        self.write("in/g.gif", b"GIF89a" + struct.pack("<HH", 7, 5) + b"\0\0\0;")
        self.write("in/w.webp", b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\x1f\0\0" + b"\x0f\0\0")
        self.write("in/readme.txt", b"Only words, and none of them is a picture.\n" * 20)

    def test_what_is_written(self):
        self.library()
        (kind, value), log, progress = self.run_all(self.handler, self.args)
        self.assertEqual(kind, "result", value)
        self.assertEqual((value["files"], value["updates"], value["errors"], value["warnings"]), (8, 8, 0, 0), log)
        self.assertEqual(value["read"] | {"bytes": 0, "duration_ms": 0},
                         {"images": 5, "audio": 1, "video": 1, "subtitles": 0, "other": 1, "bytes": 0, "duration_ms": 0})
        lines = self.lines()
        self.assertEqual(list(lines), sorted(lines, key=os.fsencode))
        wav = lines["music/a.wav"]
        self.assertEqual((wav["kind"], wav["duration_ms"], wav["title"], wav["artist"]), ("audio", 1500, "Waves", "Ada"))
        self.assertEqual({k: wav["audio"][0][k] for k in ("codec", "channels", "sample_rate")},
                         {"codec": "pcm_s16le", "channels": 2, "sample_rate": 8000})
        film = lines["film.y4m"]
        self.assertEqual((film["kind"], film["video"][0]["width"], film["video"][0]["frame_rate"]), ("video", 16, 25))
        self.assertEqual([(lines[n]["kind"], lines[n]["format"], lines[n]["width"], lines[n]["height"]) for n in ("p.png", "g.gif", "w.webp", "c.jpg")],
                         [("image", "png", 40, 20), ("image", "gif", 7, 5), ("image", "webp", 32, 16), ("image", "jpeg", 400, 300)])
        self.assertEqual((lines["c.jpg"]["camera_make"], lines["c.jpg"]["orientation"]), ("Ada", 6))
        self.assertEqual(lines["readme.txt"]["kind"], "other")
        self.assertIn('odd "name"\n\u00fc.png', lines)
        self.assertEqual((progress["stage"], progress["current"], progress["total"], progress["counters"]), ("Reading", 8, 8, {"updates": 8}))
        self.assertEqual(value["output_bytes"], self.output.stat().st_size)
        self.assertEqual(self.left(), [])

    def test_only_what_changed(self):
        self.library()
        self.value(self.args)
        before = self.output.read_bytes()
        value = self.value(self.args)
        self.assertEqual((value["unchanged"], value["updates"], value["read"]["bytes"]), (8, 0, 0))
        self.assertEqual(self.output.read_bytes(), before)
        os.unlink(self.directory / "in/film.y4m")
        self.write("in/new.png", png(3, 3, quadrants(3, 3)))
        os.utime(self.directory / "in/p.png", ns=(1, 10**18))
        (_, value), _, progress = self.run_all(self.handler, self.args)
        self.assertEqual((value["unchanged"], value["updates"], value["removed"]), (6, 2, 1))
        self.assertEqual(progress["counters"], {"unchanged": 6, "updates": 2, "removed": 1})
        lines = self.lines()
        self.assertEqual((len(lines), lines["new.png"]["width"], lines["p.png"]["mtime_us"]), (8, 3, 10**15))
        self.assertEqual(self.value({**self.args, "incremental": False})["updates"], 8)

    def test_checksums(self):
        path = self.write("in/p.png", png(40, 20, quadrants()))
        self.value(self.args)
        self.assertEqual(self.value({**self.args, "sha256": True})["updates"], 1)
        self.assertEqual(self.lines()["p.png"]["sha256"], test_useful.hashlib.sha256(path.read_bytes()).hexdigest())
        self.assertEqual(self.value({**self.args, "sha256": True})["unchanged"], 1)

    def test_an_output_of_somebody_else_is_no_trouble(self):
        self.write("in/p.png", png(40, 20, quadrants()))
        self.output.write_bytes(b'{"path":"p.png"}\nrubbish\n{"path":"p.png","size":1e9,"mtime_us":0}\n{"path":"\\u00zz","size":1,"mtime_us":1}\n\0\xff'
                                + b'\n{"path":"p.png","size":7,"mtime_us":')
        (kind, value), log, _ = self.run_all(self.handler, self.args)
        self.assertEqual((kind, value["updates"], value["unchanged"]), ("result", 1, 0))
        self.assertIn("are not of this handler", "".join(l["message"] for l in log))
        self.assertEqual(list(self.lines()), ["p.png"])

    def test_broken_files(self):
        whole = png(40, 20, quadrants())
        self.write("in/half.png", whole[:20])
        self.write("in/fake.mp4", b"these are words")
        self.write("in/empty.mp3", b"")
        self.write("in/cut.jpg", b"\xff\xd8\xff\xe0\xff\xff")
        self.write("in/huge.png", whole[:16] + b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + whole[24:])
        self.write("in/list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
        self.write("in/atoms.mov", struct.pack(">I4s", 0x7FFFFFFF, b"moov") + struct.pack(">I4s", 0x7FFFFFF0, b"trak") + b"\xff" * 100)
        (kind, value), log, progress = self.run_all(self.handler, self.args)
        self.assertEqual((kind, value["files"], value["updates"], value["errors"]), ("result", 7, 7, 0), value)
        lines = self.lines()
        self.assertTrue({"half.png", "fake.mp4", "empty.mp3", "cut.jpg"} <= {p for p, line in lines.items() if "warning" in line}, lines)
        self.assertEqual((lines["huge.png"]["width"], lines["fake.mp4"]["kind"]), (0x7FFFFFFF, "other"))
        self.assertEqual(progress["counters"]["warnings"], value["warnings"])
        self.assertNotIn("root:", self.output.read_text())

    def test_damage_anywhere_never_crashes(self):
        whole = self.sound("s.wav", 0.05).read_bytes()
        for i in range(0, 100):
            self.write(f"in/{i}.wav", whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1:])
        self.assertEqual(self.value(self.args)["updates"], 100)

    def test_unreadable_folder_and_pipe(self):
        self.write("in/p.png", png(4, 4, quadrants(4, 4)))
        os.mkfifo(self.directory / "in/pipe.mp3")
        (self.directory / "in/link.png").symlink_to("p.png")
        deep_folder(self.directory / "in")
        (kind, value), log, progress = self.run_all(self.handler, self.args)
        self.assertEqual((kind, value["updates"], value["errors"], progress["counters"]["errors"]), ("result", 1, 1, 1))
        self.assertIn("cannot read the folder", "".join(l["message"] for l in log))

    def test_folders_that_cannot_be(self):
        self.assertEqual(self.failure(self.args)["code"], "file_not_found")
        self.write("in/a", b"x")
        failure = self.failure({**self.args, "output": str(self.directory / "none/out.jsonl")})
        self.assertEqual((failure["code"], failure["retry"]), ("io", NEVER))
        self.assertEqual(self.failure({**self.args, "input": str(self.directory / "in/a")})["code"], "unreadable")
        self.write("in/b", b"x")
        self.assertEqual(self.failure({**self.args, "max_files": 1})["code"], "too_many_files")

    def test_endings_hidden_and_depth(self):
        for name in ["a.WAV", "b.png", ".c.wav", "d/e.wav"]:
            self.sound(f"in/{name}", 0.1)
        self.assertEqual(self.value({**self.args, "extensions": ["wav"]})["files"], 2)
        self.assertEqual(self.value({**self.args, "extensions": [".wav"], "hidden": True})["files"], 3)
        self.assertEqual(self.value({**self.args, "recursive": False})["files"], 2)

    def test_the_output_is_no_input(self):
        self.sound("in/a.wav", 0.1)
        args = {**self.args, "output": str(self.directory / "in/out.jsonl")}
        self.assertEqual([self.value(args)["files"] for _ in range(2)], [1, 1])

    def test_a_file_that_ends_attempts_is_left_out(self):
        """As one that crashes a library does: here the attempt is killed in the middle of it."""
        self.write("in/a.png", png(4, 4, quadrants(4, 4)))
        os.truncate(self.write("in/deadly.bin", b""), 64 << 30)
        self.write("in/z.png", png(5, 5, quadrants(5, 5)))
        args, run = {**self.args, "sha256": True}, self.zygote.next_run
        for number in (1, 2):
            self.zygote.next_run = run
            attempt = self.zygote.spawn(self.handler, args, number=number).spawned()
            driver.until(lambda: any(b"deadly.bin" in p.read_bytes().split(b"\0")[number - 1:] for p in self.directory.glob("*.reading")))
            attempt.kill()
            attempt.rest()
            attempt.exited()
            attempt.reap()
            attempt.close()
        self.zygote.next_run = run
        (kind, value), log, _ = self.run_all(self.handler, args, number=3)
        self.assertEqual((kind, value["updates"], value["errors"]), ("result", 2, 1), value)
        self.assertIn("deadly.bin is left out: 2 attempts ended", "".join(l["message"] for l in log))
        self.assertEqual((list(self.lines()), self.left()), (["a.png", "z.png"], []))

    def test_cancel_within_a_file(self):
        path = self.write("in/big.bin", b"")
        os.truncate(path, 64 << 30)
        self.write("out.jsonl", b"of before\n")
        self.cancel(self.handler, {**self.args, "sha256": True}, lambda a: driver.until(lambda: self.left()))
        self.assertEqual((self.left(), self.output.read_bytes()), ([], b"of before\n"))

    def test_wrong_args(self):
        self.refused(self.handler, {"input": "/a"}, '"output" is missing')
        self.refused(self.handler, {**self.args, "extensions": [1]}, "must hold strings only")
        self.refused(self.handler, {**self.args, "max_read_bytes": 1}, "max_read_bytes")


if __name__ == "__main__":
    driver.become_subreaper()
    del Case
    unittest.main()
