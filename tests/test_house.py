"""The order of the house: names, rooms, and what the light parts of the package do without."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import epsinas

ROOT = Path(epsinas.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

ORDER = [
    "errors",
    "compilation registry streams",
    "files",
    "spaces",
    "sources",
    "datasets",
    "engines",
    "metrics",
    "models",
    "scoring",
    "evaluation",
    "weights training",
    "bench",
    "study",
    "paper",
    "pages",
    "report",
    "__init__",
    "cli stages",
]
"""The rooms from the ground up: a room knows those of the floors below it, and no other of its own floor."""

FLOORS = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms.split()}

TWINS = ("images", "sequences")
"""Rooms of the engines that offer the same things under the same names."""


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and room of whatever a file imports of the package, also in functions and for annotations."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            # `from epsinas import X` may name a room, or something that the package itself offers.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for package, *rest in (name.split(".") for name in names):
            if package == "epsinas":
                yield node.lineno, rest[0] if rest and rest[0] in FLOORS else "__init__"


def test_every_room_has_its_floor():
    rooms = {room_of(path) for path in FILES}
    assert rooms == set(FLOORS)


def test_imports_go_down_or_stay_in_their_room():
    upwards = [
        f"{path.relative_to(ROOT)}:{line} imports {target}"
        for path in FILES
        for line, target in imports(path)
        if target != room_of(path) and FLOORS[target] >= FLOORS[room_of(path)]
    ]
    assert upwards == []


def test_no_two_functions_or_classes_share_a_name():
    homes: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        # The stages bear the names of the workflow's rules, whatever the functions are called that do the work.
        if path == ROOT / "stages.py":
            continue
        parts = path.relative_to(ROOT).parts
        home = "/".join(part for part in parts if not (parts[0] == "engines" and part in TWINS))
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(home)
    assert {name: sorted(found) for name, found in homes.items() if len(found) > 1} == {}


def test_the_root_has_few_modules():
    assert len(list(ROOT.glob("*.py"))) <= 14


def test_plans_and_pages_load_nothing_heavy():
    """Snakemake makes the plan anew in every job, and most jobs neither train nor draw nor download."""
    program = "import sys, epsinas.pages.table1, epsinas.report.explorer, epsinas.study.plan; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "epsinas.study.plan" in loaded
    assert {"torch", "numba", "matplotlib", "bokeh", "requests"}.isdisjoint(loaded)


def test_one_module_decides_where_compiled_loops_are_kept():
    """Numba's own `cache=True` fails at import where no folder can be written."""
    assert [path.name for path in FILES if "numba" in imported_packages(path)] == ["compilation.py"]


def imported_packages(path: Path) -> set[str]:
    found = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in found if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in found if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}
