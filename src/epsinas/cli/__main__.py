"""Runs the command line: `python -m epsinas.cli`."""

import sys

from epsinas.cli import main

sys.exit(main())
