import subprocess
import sys

import pytest

from epsinas.engines.memory import keep_freed_memory, release_freed_memory

HEAD = """
import os, torch
from epsinas.engines.memory import keep_freed_memory, release_freed_memory

def pages(column):
    with open("/proc/self/statm") as file:
        return int(file.read().split()[column]) * os.sysconf("SC_PAGE_SIZE")

if not keep_freed_memory():
    raise SystemExit("another C library")
"""


def lines_of(code: str) -> list[str]:
    """Run it in a process of its own, since the setting lasts, and return what it prints."""
    found = subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True)
    if "another C library" in found.stderr:
        pytest.skip("the C library has no mallopt")
    assert found.returncode == 0, found.stderr
    return found.stdout.split("\n")[:-1]


def test_freed_memory_is_kept():
    code = """
for size in (2**28, 2**31 + 2**28):  # no memory is taken for what is not written
    before = pages(5)
    tensor = torch.empty(size, dtype=torch.uint8)
    grown = pages(5) - before
    del tensor
    print(grown > 2**27, pages(5) - before == grown)
"""
    assert lines_of(code) == ["True True", "True True"]


def test_memory_in_pieces_is_released_above_a_limit():
    code = """
pieces = [torch.ones(2**26, dtype=torch.uint8) for _ in range(4)]
held = pages(1)
del pieces[0], pieces[1]  # what is left keeps the end of the heap where it is
print(pages(1) > held - 2**20, release_freed_memory(above=2**40), pages(1) > held - 2**20)
print(release_freed_memory(above=2**27), pages(1) < held - 2**26)
print(all((piece == 1).all() for piece in pieces))
"""
    assert lines_of(code) == ["True False True", "True True", "True"]


def test_another_c_library_keeps_its_ways(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_freed_memory() is False
    assert release_freed_memory(above=0) is False
