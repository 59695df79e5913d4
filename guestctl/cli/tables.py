"""Tables as lines of text: they fit the terminal, and nothing of them wraps by chance."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from ..model.guest import GuestId
from .exits import printable

GAP = "  "
ELLIPSIS = "…"
#: What a cell keeps where a terminal is too narrow for its column.
_LEAST = 8


def cut(text: str, width: int) -> str:
    """At most so many cells of a terminal wide, cut at the end."""
    if cell_len(text) <= width:
        return text
    return _head(text, width - 1) + ELLIPSIS if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """The same, cut in the middle: names that begin alike often end otherwise."""
    if cell_len(text) <= width:
        return text
    if width < 3:
        return cut(text, width)
    head = _head(text, width // 2)
    return head + ELLIPSIS + _head(text[::-1], width - 1 - cell_len(head))[::-1]


def _head(text: str, width: int) -> str:
    """As many characters as fit: some take two cells, some none."""
    end = used = 0
    for character in text:
        used += cell_len(character)
        if used > width:
            break
        end += 1
    return text[:end]


def padded(text: str, width: int) -> str:
    """Exactly so many cells wide, cut at the end where it is longer."""
    shown = cut(text, width)
    return shown + " " * (width - cell_len(shown))


def told_apart(guests: Iterable[tuple[GuestId, str]]) -> dict[GuestId, str]:
    """What guests are called in tables: several of one name with their connections."""
    called = dict(guests)
    several = Counter(called.values())
    return {
        guest: printable(name if several[name] < 2 else f"{name} ({guest.uri})")
        for guest, name in called.items()
    }


def name_width(names: Sequence[str], width: int) -> int:
    """Of a column of guests' names: a third of the terminal at most."""
    return min(max(map(cell_len, names), default=0), max(_LEAST, width // 3))


def lines_of(rows: Sequence[Sequence[str]], width: int | None, *, wraps: bool = False) -> list[str]:
    """Rows of cells as lines, the first row being the headings, the first column names.

    width: of the terminal; None for a pipe, where nothing is cut.
    wraps: whether the last column goes on in the next line where it does not fit, else it is cut.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    if width is None:
        return [_line(row, widths) for row in shown]
    widths[0] = min(widths[0], max(_LEAST, width // 3))
    before = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(_LEAST, width - before))
    return [line for row in shown for line in _fitted(row, widths, width, wraps=wraps)]


def room_beside(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many cells these columns leave for one more, on a terminal of this width."""
    widths = [
        max(cell_len(printable(cell)) for cell in column) for column in zip(*rows, strict=True)
    ]
    widths[0] = min(widths[0], max(_LEAST, width // 3))
    return width - sum(widths) - len(GAP) * len(widths)


def _fitted(row: list[str], widths: list[int], width: int, *, wraps: bool) -> list[str]:
    first = cut_middle(row[0], widths[0])
    parts = (
        textwrap.wrap(row[-1], max(1, widths[-1]), break_on_hyphens=False) if wraps else row[-1:]
    )
    lines = [_line([first, *row[1:-1], parts[0] if parts else ""], widths)]
    before = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
    lines += [" " * before + part for part in parts[1:]]
    return [cut(line, width) for line in lines]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()


def paragraph(text: str, width: int | None) -> list[str]:
    """A text below a table, whole; what does not fit in a line goes on in the next, indented."""
    if width is None:
        return [text]
    return textwrap.wrap(text, max(20, width), subsequent_indent=GAP, break_on_hyphens=False)
