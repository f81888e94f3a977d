"""Large pages for what a server has built at start.

Model, vocabulary and code are a hundred megabytes that every request looks into here and there. With small
pages most looks begin with a walk through the page tables, in a virtual machine through two of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

_SETTINGS = Path("/sys/kernel/mm/transparent_hugepage")
_MAPS = Path("/proc/self/maps")

# madvise(2): may be large from now on; and (since Linux 6.1) become large now.
_MADV_HUGEPAGE = 14
_MADV_COLLAPSE = 25


def use_large_pages() -> None:
    """Ask for large pages where Linux leaves that to the program; elsewhere nothing happens.

    It is advice: what cannot be followed changes nothing.
    """
    try:
        if "[madvise]" not in (_SETTINGS / "enabled").read_text(encoding="ascii"):
            return
        size = int((_SETTINGS / "hpage_pmd_size").read_text(encoding="ascii"))
        maps = _MAPS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in own_memory(maps):
        advise(start, end - start, _MADV_HUGEPAGE)
        first, last = -(-start // size) * size, end // size * size
        if first < last:
            advise(first, last - first, _MADV_COLLAPSE)


def own_memory(maps: str) -> Iterator[tuple[int, int]]:
    """Yield where what the program allocated begins and ends, from a text like that of /proc/self/maps.

    >>> list(own_memory("1000-3000 rw-p 0 00:00 0\\n4000-5000 r-xp 0 08:01 7 /usr/lib/libc.so"))
    [(4096, 12288)]
    """
    for line in maps.splitlines():
        span, may, _, _, file, *name = line.split(maxsplit=5)
        if may == "rw-p" and file == "0" and name in ([], ["[heap]"]):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)
