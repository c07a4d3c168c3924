#!/usr/bin/env python3
"""Lists the RAM blocks of a mapped-ram image, or writes one of them to standard output: read_image.py IMAGE [BLOCK]"""
import re
import struct
import sys


def blocks(file):
    """Yields name, length, page size, offset of the bitmap and offset of the pages for each RAM block."""
    head = file.read(1 << 20)
    start = re.search(rb"\x01.{4}\x03ram\0{4}\0{3}\x04(.{8})", head, re.S)  # START of section "ram", version 4
    if not head.startswith(b"QEVM") or not start:
        sys.exit("not a mapped-ram image")
    total, at = struct.unpack(">Q", start[1])[0] & ~0xFFF, start.end()
    while total > 0:
        file.seek(at)
        name = file.read(file.read(1)[0])
        length, version, page_size, bitmap, pages = struct.unpack(">QIQQQ", file.read(36))
        yield name.decode(), length, page_size, bitmap, pages
        total, at = total - length, pages + length


def read(file, length, page_size, bitmap, pages):
    """Yields the pages in order. A clear bit is a page of zeros, whatever the file holds in its place."""
    count = length // page_size
    file.seek(bitmap)
    bits = file.read((count + 63) // 64 * 8)
    for page in range(count):
        file.seek(pages + page * page_size)
        yield file.read(page_size) if bits[page >> 3] >> (page & 7) & 1 else bytes(page_size)


with open(sys.argv[1], "rb") as image:
    for name, *block in list(blocks(image)):
        if len(sys.argv) < 3:
            print(name, *block)
        elif name == sys.argv[2]:
            sys.stdout.buffer.writelines(read(image, *block))
