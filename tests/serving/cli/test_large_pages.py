"""What a server has built is marked for large pages, nothing else is, and nothing is where there are none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving.cli import large_pages
from serving.cli.large_pages import own_memory, use_large_pages

MAPS = """\
55d0a1000000-55d0a1200000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000400000 rw-p 00000000 00:00 0 
7f0001000000-7f0001400000 r--p 00000000 00:00 0 
7f0002000000-7f0002400000 rw-s 00000000 00:01 5                          /dev/shm/shared
7f0003000000-7f0003400000 rw-p 00001000 08:01 77                         /usr/lib/a library.so
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
"""  # noqa: W291 - so it stands there
IN_A_PROCESS = """
from serving.cli.large_pages import use_large_pages
kept = bytearray(16_000_000)
use_large_pages()
print(open("/proc/self/smaps").read())
"""


def test_only_what_the_program_allocated_is_meant():
    assert list(own_memory(MAPS)) == [(0x55D0A1000000, 0x55D0A1200000), (0x7F0000000000, 0x7F0000400000)]


def mode():
    try:
        found = re.search(r"\[(\w+)\]", Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text())
    except OSError:
        return "none"
    return found.group(1) if found else "none"


@pytest.mark.skipif(mode() != "madvise", reason="This system does not leave large pages to programs")
def test_memory_that_was_allocated_is_marked():
    ran = subprocess.run([sys.executable, "-c", IN_A_PROCESS], capture_output=True, text=True, check=True)
    sizes_kb = re.findall(r"^Size: +(\d+) kB$", ran.stdout, re.MULTILINE)
    flags = re.findall(r"^VmFlags:(.*)$", ran.stdout, re.MULTILINE)
    marked = [int(kb) for kb, one in zip(sizes_kb, flags, strict=True) if "hg" in one.split()]
    assert max(marked) * 1_024 >= 16_000_000


@pytest.mark.parametrize("said", ["always madvise [never]\n", "[always] madvise never\n", None])
def test_where_it_is_not_left_to_programs_nothing_is_asked(tmp_path, monkeypatch, said):
    if said is not None:
        (tmp_path / "enabled").write_text(said)
    monkeypatch.setattr(large_pages, "_SETTINGS", tmp_path)
    monkeypatch.setattr(large_pages, "own_memory", None)
    use_large_pages()
