"""The driver of the power shim (power_shim.h has the layout): sets what the disk shall do, and cuts the power."""

import mmap
import os
import pathlib
import random
import shutil
import struct

SHIM = os.environ["CHAOS_SHIM"]
CAPACITY = 96 << 20
RECORDS_AT = 4096
PAGE, SECTOR = 4096, 512
FORGOTTEN, WRITE, CREATE, RENAME = 0, 1, 2, 3
FIELDS = {name: 8 * index for index, name in enumerate(
    ["magic", "capacity", "used", "operations", "kill_at", "kill_after", "swallow_sync", "sync_delay_us", "syncs", "fail_sync_at",
     "writes", "short_write_at", "bytes", "space", "injected", "overflow"])}


class Disk:
    """A disk under everything below `watched`; `control` is a file outside of it."""

    def __init__(self, watched, control):
        self.watched, self.path = pathlib.Path(watched), pathlib.Path(control)
        with open(control, "w+b") as file:
            file.truncate(CAPACITY)
            self.map = mmap.mmap(file.fileno(), CAPACITY)
        self.set(magic=0x5245574F50445831, capacity=CAPACITY)

    def env(self):
        return {"LD_PRELOAD": SHIM, "CHAOS_POWER": str(self.path), "CHAOS_FOLDER": str(self.watched)}

    def get(self, name):
        return struct.unpack_from("<Q", self.map, FIELDS[name])[0]

    def set(self, **values):
        for name, value in values.items():
            struct.pack_into("<Q", self.map, FIELDS[name], value)

    def reset(self, **values):
        """A new disk under what stands there now; all of it is durable."""
        self.set(**{name: 0 for name in FIELDS if name not in ("magic", "capacity")})
        self.set(**values)

    def records(self):
        at, end = RECORDS_AT, RECORDS_AT + self.get("used")
        while at < end:
            size, kind, file, offset, length, before = struct.unpack_from("<IIQQQQ", self.map, at)
            if kind != FORGOTTEN:
                yield kind, file, offset, length, before, self.map[at + 40:at + size]
            at += size

    def cut(self, dice):
        """What the disk holds when the power comes back: a part of what was not synced, as `dice` will. How much was at stake."""
        files, names = {}, []
        for kind, file, offset, length, before, content in self.records():
            if kind == WRITE:
                files.setdefault(file, []).append((offset, content[:length], before))
            else:
                names.append((kind, content.split(b"\0")))
        paths = {path.stat().st_ino: path for path in self.watched.rglob("*") if path.is_file()}
        for file, writes in files.items():
            if file in paths:
                undo_writes(paths[file], writes, dice)
        for kind, name in reversed(names):
            undo_name(kind, [os.fsdecode(part) for part in name], dice)
        # LMDB's lock file is nothing but memory; no sync ever reaches it.
        for path in self.watched.rglob("lock.mdb"):
            if dice.random() < 0.3:
                path.write_bytes(dice.randbytes(dice.choice([0, 512, path.stat().st_size])))
        self.reset()
        return sum(map(len, files.values())) + len(names)


def undo_writes(path, writes, dice):
    """Every page is as it was before one of the writes to it, or as it is now; some are mixed of two, sector by sector."""
    with open(path, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        # Each page's versions, the oldest first: the images before each write, made whole from what stood behind them.
        pages = {}
        image = bytearray(file.read())
        for offset, content, before in reversed(writes):
            first, last = offset // PAGE, (offset + len(content) - 1) // PAGE
            touched = range(first, last + 1)
            for page in touched:
                pages.setdefault(page, [bytes(image[page * PAGE:(page + 1) * PAGE])])
            part = content[:max(0, size - offset)]
            image[offset:offset + len(part)] = part
            for page in touched:
                pages[page].append(bytes(image[page * PAGE:(page + 1) * PAGE]))
        for page, versions in pages.items():
            kept = dice.choice(versions)
            if dice.random() < 0.25:
                other = dice.choice(versions)
                kept = b"".join(dice.choice([kept, other])[at:at + SECTOR] for at in range(0, len(kept), SECTOR))
            file.seek(page * PAGE)
            file.write(kept)
        shortest = min(before for _, _, before in writes)
        if shortest < size and dice.random() < 0.5:
            file.truncate(dice.randrange(shortest, size + 1))


def undo_name(kind, name, dice):
    if dice.random() < 0.5:
        return
    if kind == RENAME and os.path.exists(name[1]) and not os.path.exists(name[0]):
        os.rename(name[1], name[0])
    elif kind == CREATE and os.path.isdir(name[0]):
        shutil.rmtree(name[0])
    elif kind == CREATE and os.path.exists(name[0]):
        os.unlink(name[0])


def dice_of(*seed):
    return random.Random(repr(seed))
