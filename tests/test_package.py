import subprocess
import sys

import epsinas

UNINSTALLED = """
import importlib.metadata as metadata

def missing(name):
    raise metadata.PackageNotFoundError(name)

metadata.version = missing
import epsinas
print(epsinas.__version__)
"""


def test_a_source_tree_that_is_not_installed_can_be_imported():
    done = subprocess.run([sys.executable, "-c", UNINSTALLED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "unknown\n"), done.stderr


def test_everything_that_is_announced_is_there():
    assert all(hasattr(epsinas, name) for name in epsinas.__all__)
