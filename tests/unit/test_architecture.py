"""The code is held to docs/dev/architecture.md and to the project's rules of style."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
PACKAGE = PROJECT / "guestctl"
DOCUMENT = PROJECT / "docs/dev/architecture.md"
MOST_LINES = 350


def _name(path: Path) -> str:
    """The module's name inside the package: "plan", "cli.main", "__init__", "cli.__init__"."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def every_module(check: Callable[[str], None]) -> Callable[[], None]:
    """One test for all modules: as many tests as modules and rules took as long as all soaks."""

    def test() -> None:
        for module in MODULES:
            try:
                check(module)
            except AssertionError as error:
                error.add_note(f"of the module {module}")
                raise

    test.__doc__ = check.__doc__
    return test


def _absolute(module: str, node: ast.ImportFrom) -> str:
    """The module that `from … import` names, with its dots resolved."""
    if not node.level:
        return node.module or ""
    package = ["guestctl", *module.split(".")][: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _imports(module: str) -> Iterator[str]:
    """Everything a module imports, by absolute name, wherever in it the import stands."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            # `from . import common` names modules where such modules exist.
            named = [f"{source}.{alias.name}" for alias in node.names]
            modules = [name for name in named if _ours(name) in MODULES]
            yield from modules
            if len(modules) < len(named):
                yield source


def _ours(imported: str) -> str:
    """The name inside the package, or nothing for what is not ours."""
    if imported == "guestctl":
        return "__init__"
    return imported.removeprefix("guestctl.") if imported.startswith("guestctl.") else ""


def _our_imports(module: str) -> set[str]:
    return {name for imported in _imports(module) if (name := _ours(imported))}


def _roots(module: str) -> set[str]:
    return {imported.partition(".")[0] for imported in _imports(module)}


def _rooms() -> dict[str, set[str]]:
    """The rule of docs/dev/architecture.md: a fenced block that starts with ```rooms.

    A line is "room: what its modules may import beside their own room".
    """
    found = re.search(r"^```rooms\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{DOCUMENT} has no ```rooms block"
    lines = [line.partition(":") for line in found[1].splitlines() if line.strip()]
    return {room: set(names.replace(",", " ").split()) for room, _, names in lines}


ROOMS = _rooms()
#: Where the parts of guestctl come together: in a process of a command, and in the service.
COMPOSITION_ROOTS = {"control.local", "service.daemon"}


def _room(module: str) -> str:
    """The first part of its name; what is beside the rooms is in none."""
    return module.partition(".")[0] if "." in module else ""


def _may_import(module: str) -> set[str]:
    """Rooms, and single modules of others."""
    return ROOMS[_room(module)] | ROOMS.get(module, set())


def test_every_room_stands_in_the_document() -> None:
    assert {_room(module) for module in MODULES if _room(module)} == {
        room for room in ROOMS if "." not in room
    }


@every_module
def test_who_imports_whom_is_as_documented(module: str) -> None:
    room = _room(module)
    for imported in _our_imports(module) if room else ():
        allowed = {room, "__init__", ""} | _may_import(module)
        assert _room(imported) in allowed or imported in allowed, f"{module} imports {imported}"


@every_module
def test_runs_and_the_host_come_together_in_two_places_only(module: str) -> None:
    rooms = {_room(imported) for imported in _our_imports(module)}
    assert module in COMPOSITION_ROOTS or not {"runs", "host"} <= rooms


def test_a_room_says_its_job_in_one_sentence() -> None:
    for room in ROOMS:
        if "." not in room:
            said = ast.get_docstring(TREES[f"{room}.__init__"])
            assert said, room
            assert said in DOCUMENT.read_text(), f"{DOCUMENT} does not say of {room}: {said}"


def test_no_import_leads_back_to_where_it_came_from() -> None:
    """Cycles make modules that can only be understood, and loaded, all at once."""
    left = {module: _our_imports(module) for module in MODULES}
    while free := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in free:
            del left[module]
    assert left == {}


PURE = {
    name for name in MODULES if name.startswith(("model.", "decisions.")) and name != "model.ports"
}
PURE -= {"model.ports", "model.report"}
PURE |= {"config.config", "config.kinds", "config.names", "config.setting", "config.settings"}
PURE |= {"config.own", "config.own_change", "host.libvirt.policy_xml"}
PURE |= {"config.lines", "config.toml", "control.facts_text", "control.masking", "__init__"}
PURE |= {"host.libvirt.domain_xml", "service.event_history", "control.log_fields"}
WORLD = {"asyncio", "os", "pathlib", "sqlite3", "subprocess", "sys", "threading", "time"}


@pytest.mark.parametrize("module", sorted(PURE))
def test_decisions_are_pure(module: str) -> None:
    """Neither a decision nor anything it imports of ours knows the world."""
    assert not _roots(module) & (WORLD | {"libvirt", "rich", "signal", "socket", "datetime"})
    assert _our_imports(module) <= PURE


ONLY = {
    "libvirt": {
        "host.libvirt.agent",
        "host.libvirt.hypervisor",
        "host.libvirt.connections",
        "host.libvirt.events",
        "host.libvirt.jobs",
        "host.libvirt.metadata",
        "host.libvirt.needs",
        "host.libvirt.versions",
        "host.libvirt.reading",
    },
    "libvirt_qemu": {"host.libvirt.events"},
    "dbus_fast": {"host.dbus_library"},
    "dbus_next": {"host.dbus_library"},
    "sdnotify": {"host.notify"},
    "systemd": {"host.journal"},
    "subprocess": set(),
    "sqlite3": {name for name in MODULES if name.startswith("ledger.")},
    "threading": {"host.tasks", "host.journal", "ledger.writer", "host.libvirt.connections"},
    "fcntl": {"host.file_changes", "host.locks"},
}


@pytest.mark.parametrize("library", ONLY)
def test_a_library_stays_in_its_place(library: str) -> None:
    assert {module for module in MODULES if library in _roots(module)} <= ONLY[library]


@every_module
def test_only_the_command_line_draws(module: str) -> None:
    assert module.startswith("cli.") or not _roots(module) & {"rich", "argparse"}


@every_module
def test_only_the_command_line_imports_the_command_line(module: str) -> None:
    uses = any(name.startswith("cli") for name in _our_imports(module))
    assert not uses or module.startswith("cli.") or module == "__main__"


@every_module
def test_a_module_is_short_enough_to_be_read(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= MOST_LINES


# Style


def _comments(module: str) -> Iterator[tuple[int, str]]:
    source = io.StringIO(MODULES[module].read_text())
    for token in tokenize.generate_tokens(source.readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


_EXCUSE = re.compile(
    r"#\s*(noqa|type:\s*ignore)\b(?P<codes>:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[\w, -]+\])?"
)


def _unexplained(comment: str) -> bool:
    """Whether a comment silences a checker without a word why, or all of it at once."""
    excuse = _EXCUSE.search(comment)
    if not excuse:
        return False
    reason = comment[excuse.end() :].strip(" #-")
    return len(reason.split()) < 2 or not excuse["codes"]


@pytest.mark.parametrize(
    ("comment", "unexplained"),
    [
        ("# noqa", True),
        ("# noqa: BLE001", True),
        ("# noqa - handed to the caller", True),
        ("# noqa: BLE001 - handed to the caller", False),
        ("# type: ignore[arg-type]", True),
        ("# type: ignore[arg-type]  # a result, where no error", False),
        ("# the type is ignored here", False),
    ],
)
def test_what_counts_as_unexplained(comment: str, unexplained: bool) -> None:
    assert _unexplained(comment) is unexplained


@every_module
def test_a_silenced_checker_is_explained_on_the_same_line(module: str) -> None:
    assert [c for c in _comments(module) if _unexplained(c[1])] == []


def _catches_all(node: ast.ExceptHandler) -> bool:
    names = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in ("Exception", "BaseException"))
        for name in names
    )


def _raises_again(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


@every_module
def test_whoever_catches_everything_says_why_or_raises_it_again(module: str) -> None:
    explained = {line for line, comment in _comments(module) if len(comment.split()) > 2}
    handlers = (n for n in ast.walk(TREES[module]) if isinstance(n, ast.ExceptHandler))
    wide = [node for node in handlers if _catches_all(node) and not _raises_again(node)]
    assert [node.lineno for node in wide if node.lineno not in explained] == []


Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _public(body: list[ast.stmt]) -> Iterator[Documented]:
    for node in body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def _promised() -> set[str]:
    """The methods of the Protocols of ports.py and client.py, which are described there."""
    written = (*TREES["model.ports"].body, *TREES["control.client"].body)
    protocols = (n for n in written if isinstance(n, ast.ClassDef) and _is_protocol(n))
    return {method.name for protocol in protocols for method in _public(protocol.body)}


def _undocumented(module: str) -> Iterator[str]:
    if ast.get_docstring(TREES[module]) is None:
        yield module
    promised = _promised()
    for node in _public(TREES[module].body):
        if ast.get_docstring(node) is None:
            yield node.name
        is_protocol = isinstance(node, ast.ClassDef) and _is_protocol(node)
        for method in _public(node.body) if isinstance(node, ast.ClassDef) else ():
            exempt = method.name in promised and not is_protocol
            if ast.get_docstring(method) is None and not exempt:
                yield f"{node.name}.{method.name}"


@every_module
def test_what_is_public_is_described(module: str) -> None:
    assert list(_undocumented(module)) == []


def test_the_service_has_no_memory_for_tables() -> None:
    program = "import sys, guestctl.cli.daemon; print('rich' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
