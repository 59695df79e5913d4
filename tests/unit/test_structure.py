"""The maintainers' tool that measures how the code is cut."""

from __future__ import annotations

from pathlib import Path

from tools import structure
from tools.structure import Arrow, between_rooms, read, report, rooms, wrong_way

LONG = "def long():\n" + "    pass\n" * 20


def package(folder: Path, **sources: str) -> structure.Package:
    """A package with these modules: `host_a` is a.py in the room host, `beside` is in none."""
    for name, text in sources.items():
        path = folder.joinpath("guestctl", *name.split("_")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read(folder / "guestctl")


def test_sizes(tmp_path: Path) -> None:
    methods = "".join(f"    def m{number}(self): pass\n" for number in range(13))
    made = package(tmp_path, host_a=f"class Many:\n{methods}", host_b=LONG)
    told = "\n".join(report(made))
    assert "modules: 2, 35 lines, median 17.5" in told
    assert "more than 12 methods: 1\n    host.a.Many: 14 lines, 13 methods\n" in told
    assert "more than 20 lines: 1\n    host.b.long: 21 lines\n" in told


def test_arrows_of_every_spelling(tmp_path: Path) -> None:
    made = package(
        tmp_path,
        host_a="import guestctl.model.x\nfrom . import b",
        host_b="from ..model.x import y\nimport os\nfrom os import path",
        model_x="def f():\n    from guestctl.model import z",
        model_z="",
    )
    assert structure.arrows(made) == {
        Arrow("host.a", "model.x"),
        Arrow("host.a", "host.b"),
        Arrow("host.b", "model.x"),
        Arrow("model.x", "model.z"),
    }


def test_an_arrow_up_or_to_a_room_beside_runs_the_wrong_way() -> None:
    down, up, beside = (
        Arrow("runs.a", "model.b"),
        Arrow("model.b", "runs.a"),
        Arrow("host.a", "config.b"),
    )
    within = Arrow("runs.a", "runs.b")
    found = between_rooms([down, up, beside, within], rooms())
    assert found == sorted([down, up, beside])
    assert wrong_way(found, rooms()) == [beside, up]


def test_a_flat_package_is_said_to_be_one(tmp_path: Path) -> None:
    made = package(tmp_path, a="def f(): pass", b="import guestctl.a", cli_c="")
    assert list(report(made))[-1] == "rooms: none; 2 of 3 modules lie in one folder"


def test_no_arrow_of_guestctl_runs_the_wrong_way() -> None:
    assert list(report(read(structure.PROJECT / "guestctl")))[-1] == "the wrong way: 0"
