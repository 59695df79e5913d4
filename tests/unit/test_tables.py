"""Tables fit the terminal, whatever stands in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from guestctl.cli.tables import cut, cut_middle, lines_of, name_width, padded, paragraph
from guestctl.cli.text import ago
from guestctl.model.units import show_seconds
from tests.unit.makers import texts

printable_texts = texts.filter(str.isprintable)


@given(printable_texts, st.integers(0, 60))
def test_what_is_cut_fits_and_what_fits_is_not_cut(text: str, width: int) -> None:
    for cutting in (cut, cut_middle):
        shown = cutting(text, width)
        assert cell_len(shown) <= width
        assert (shown == text) == (cell_len(text) <= width)
    assert cell_len(padded(text, width)) == width


def test_a_name_is_cut_in_the_middle() -> None:
    assert cut_middle("web-frontend-production-1", 11) == "web-f…ion-1"
    assert cut_middle("日本語の名前", 8) == "日本…前"
    assert name_width(["x" * 90, "y"], 80) == 26
    assert name_width(["x", "yy"], 80) == 2


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=5), st.integers(20, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    for wraps in (False, True):
        lines = lines_of(rows, width, wraps=wraps)
        assert all(cell_len(line) <= width for line in lines)
        assert len(lines) >= len(rows)
    assert len(lines_of(rows, width)) == len(rows)
    assert len(lines_of(rows, None)) == len(rows)


def test_the_last_column_goes_on_below_itself() -> None:
    assert lines_of([("NAME", "PLAN"), ("web", "save, then shutdown")], 20, wraps=True) == [
        "NAME  PLAN",
        "web   save, then",
        "      shutdown",
    ]
    assert paragraph("held: its disk has changed", 20) == ["held: its disk has", "  changed"]


def test_how_long_ago() -> None:
    now = 10**18
    seconds = {5: "just now", 60: "1min ago", 7200: "2h ago", 3 * 86400: "3d ago"}
    assert {s: ago(now - s * 10**9, now) for s in seconds} == seconds
    assert ago(now + 10**9, now).startswith("2001-")


def test_how_long() -> None:
    shown = {0.04: "0.0s", 9.94: "9.9s", 9.96: "10s", 119: "119s", 120: "2min", 125: "2min 5s"}
    shown |= {3599.4: "59min 59s", 3600: "1h", 7260: "2h 1min"}
    assert {seconds: show_seconds(seconds) for seconds in shown} == shown
