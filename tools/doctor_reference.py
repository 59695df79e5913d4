"""The table of docs/reference/doctor.md, from that of the checks.

python -m tools.doctor_reference    writes it into the page, below its mark
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from guestctl.decisions.check import Check
from guestctl.decisions.doctor import CHECKS
from guestctl.model.finding import Severity

PAGE = Path("docs/reference/doctor.md")
MARK = "<!-- written by tools/doctor_reference.py -->\n"


def page(before: str) -> str:
    """The whole page: what stands above the mark stays."""
    head, mark, _ = before.partition(MARK)
    assert mark, f"{PAGE} has no mark"
    return head + MARK + "".join(f"{line}\n" for line in _tables())


def _tables() -> Iterator[str]:
    for severity in Severity:
        yield from ("", f"## {_HEADINGS[severity]}", "")
        yield from ("| check | what should be | what it means | what to do |", "|---|---|---|---|")
        yield from (_row(check) for check in CHECKS if check.severity is severity)


_HEADINGS = {
    Severity.ERROR: "Errors",
    Severity.WARNING: "Warnings",
    Severity.NOTE: "Notes",
}


def _row(check: Check) -> str:
    seldom = "" if check.cheap else " *"
    cells = (f"`{check.name}`{seldom}", check.title, check.meaning, check.remedy)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
