"""Run what may take all memory, never end or crash in a process of its own, with limits."""

import subprocess
import sys
from pathlib import Path

_CODE = """
import resource, sys
from epsinas.errors import InputError
{imports}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, ({seconds},) * 2)
for path in sys.argv[1:]:
    try:
        print(repr({call}))
    except InputError as error:
        print(error)
"""


def outcomes(imports: str, call: str, paths: list[Path], megabytes: int = 300, seconds: int = 60) -> list[str]:
    """Return for each file what a call of it, `path`, gave, or the message of the error that it raised.

    Args:
        imports: a statement.
        call: an expression of `path`.
        paths: of the files.
        megabytes: that the call may take beside what is imported.
        seconds: of processor time for all.
    """
    code = _CODE.format(imports=imports, call=call, megabytes=megabytes, seconds=seconds)
    run = subprocess.run([sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, f"{paths[run.stdout.count(chr(10))].name}: {run.returncode}: {run.stderr[-2000:]}"
    return run.stdout.splitlines()
