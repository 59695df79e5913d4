"""How the code is cut, in figures from its own syntax trees: for reading a change of structure.

`python3 -m tools.structure [FOLDER]`: FOLDER is a package, also one of another checkout, such as
`../before/guestctl`; this checkout's, unless told.  Lines are those of files, and of definitions
from their first to their last line.  An arrow leads from a module to one that it imports.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent
ARCHITECTURE = PROJECT / "docs/dev/architecture.md"
#: Above these a class or a function is named.
MOST_METHODS, MOST_CLASS_LINES, MOST_FUNCTION_LINES = 12, 150, 20
#: How many of the largest modules are named.
LARGEST = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


class Sized(NamedTuple):
    """A module, a class or a function, and how large it is."""

    name: str
    lines: int
    methods: int = 0


class Arrow(NamedTuple):
    """A module imports another of the package."""

    source: str
    target: str


@dataclass(frozen=True)
class Package:
    """The modules of a package by their dotted names in it; __init__ files are left out."""

    name: str
    sources: Mapping[str, str]

    @property
    def trees(self) -> dict[str, ast.Module]:
        """Syntax trees by module."""
        return {module: ast.parse(text) for module, text in self.sources.items()}


def read(folder: Path) -> Package:
    """The package in this folder."""
    paths = [path for path in sorted(folder.rglob("*.py")) if path.stem != "__init__"]
    names = (".".join(path.relative_to(folder).with_suffix("").parts) for path in paths)
    sources = dict(zip(names, (path.read_text() for path in paths), strict=True))
    return Package(folder.resolve().name, sources)


# Sizes


def modules(package: Package) -> list[Sized]:
    """All modules, the largest first."""
    sized = [Sized(name, len(text.splitlines())) for name, text in package.sources.items()]
    return sorted(sized, key=lambda one: -one.lines)


def classes(package: Package) -> list[Sized]:
    """All classes; methods are those that stand in them, properties and dunders included."""
    return [
        Sized(f"{module}.{node.name}", _lines(node), _methods(node))
        for module, tree in package.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]


def functions(package: Package) -> list[Sized]:
    """All functions and methods, also those inside others."""
    return [
        Sized(f"{module}.{name}", lines)
        for module, tree in package.trees.items()
        for name, lines in _functions(tree, "")
    ]


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        name = f"{prefix}{child.name}" if isinstance(child, Definition) else ""
        if isinstance(child, Function):
            yield name, _lines(child)
        yield from _functions(child, f"{name}." if name else prefix)


def _methods(node: ast.ClassDef) -> int:
    return sum(isinstance(child, Function) for child in node.body)


def _lines(node: Definition) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


# Arrows


def arrows(package: Package) -> set[Arrow]:
    """Who imports whom."""
    return {
        Arrow(module, target)
        for module, tree in package.trees.items()
        for node in ast.walk(tree)
        for target in _targets(package, module, node)
        if target != module
    }


def _targets(package: Package, module: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        named = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        source = _absolute(package.name, module, node)
        named = [source, *(f"{source}.{alias.name}" for alias in node.names)]
    else:
        return
    inside = (name.removeprefix(f"{package.name}.") for name in named)
    yield from (name for name in inside if name in package.sources)


def _absolute(package: str, module: str, node: ast.ImportFrom) -> str:
    above = [package, *module.split(".")][: -node.level] if node.level else []
    return ".".join([*above, *([node.module] if node.module else [])])


def rooms() -> list[set[str]]:
    """The order of rooms that docs/dev/architecture.md gives, the topmost first."""
    found = re.search(r"^ {4}\w+( *[>,] *\w+)+$", ARCHITECTURE.read_text(), re.MULTILINE)
    assert found, f"{ARCHITECTURE} has no order of rooms"
    return [set(level.replace(",", " ").split()) for level in found[0].split(">")]


def room_of(module: str, order: Iterable[set[str]]) -> str:
    """The room that the module lies in; empty for one that lies beside them."""
    room = module.partition(".")[0]
    return room if "." in module and any(room in level for level in order) else ""


def is_flat(package: Package) -> bool:
    """Whether most modules lie in no room."""
    order = rooms()
    return (
        sum(bool(room_of(module, order)) for module in package.sources) < len(package.sources) / 2
    )


def between_rooms(found: Iterable[Arrow], order: list[set[str]]) -> list[Arrow]:
    """The arrows that lead from one room into another."""
    return sorted(
        arrow
        for arrow in found
        if len({room_of(arrow.source, order), room_of(arrow.target, order), ""}) == 3
    )


def wrong_way(between: Iterable[Arrow], order: list[set[str]]) -> list[Arrow]:
    """Of arrows between rooms those that run up, or to a room beside."""
    level = {room: number for number, names in enumerate(order) for room in names}
    return [
        arrow
        for arrow in between
        if level[room_of(arrow.source, order)] >= level[room_of(arrow.target, order)]
    ]


# What is printed


def report(package: Package) -> Iterator[str]:
    """All figures, a line each."""
    yield from _modules(package)
    yield from _classes(package)
    yield from _functions_told(package)
    found = arrows(package)
    yield f"mean fan-out: {len(found) / len(package.sources):.1f} ({len(found)} arrows)"
    yield from _rooms(package, found)


def _modules(package: Package) -> Iterator[str]:
    sized = modules(package)
    lines = [one.lines for one in sized]
    yield f"modules: {len(sized)}, {sum(lines)} lines, median {median(lines):g}"
    yield f"largest modules:{_named(sized[:LARGEST])}"


def _classes(package: Package) -> Iterator[str]:
    found = classes(package)
    many = [one for one in found if one.methods > MOST_METHODS]
    yield f"classes of more than {MOST_METHODS} methods: {len(many)}{_named(many)}"
    long = [one for one in found if one.lines > MOST_CLASS_LINES]
    yield f"classes of more than {MOST_CLASS_LINES} lines: {len(long)}{_named(long)}"


def _functions_told(package: Package) -> Iterator[str]:
    found = functions(package)
    lines = [one.lines for one in found]
    yield f"functions: {len(found)}, mean {mean(lines):.1f} lines, median {median(lines):g}"
    long = [one for one in found if one.lines > MOST_FUNCTION_LINES]
    yield f"functions of more than {MOST_FUNCTION_LINES} lines: {len(long)}{_named(long)}"


def _named(sized: Iterable[Sized]) -> str:
    ordered = sorted(sized, key=lambda one: (-one.lines, one.name))
    return "".join(f"\n    {_told(one)}" for one in ordered)


def _told(one: Sized) -> str:
    methods = f", {one.methods} methods" if one.methods else ""
    return f"{one.name}: {one.lines} lines{methods}"


def _rooms(package: Package, found: Collection[Arrow]) -> Iterator[str]:
    if is_flat(package):
        beside = sum("." not in module for module in package.sources)
        yield f"rooms: none; {beside} of {len(package.sources)} modules lie in one folder"
        return
    order = rooms()
    between = between_rooms(found, order)
    pairs = {(room_of(arrow.source, order), room_of(arrow.target, order)) for arrow in between}
    yield f"between rooms: {len(between)} arrows, {len(pairs)} pairs of rooms"
    wrong = wrong_way(between, order)
    listed = "".join(f"\n    {arrow.source} imports {arrow.target}" for arrow in wrong)
    yield f"the wrong way: {len(wrong)}{listed}"


if __name__ == "__main__":
    named = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "guestctl"
    print("\n".join(report(read(named))))
