"""A scenario's story as text: story.txt.

    0:00   command   preserve
    0:00   run       preserve (command)
    0:00 > plan      web  save (at most 10min), then shutdown (at most 90s)
    0:05 > step      web  save done, 5s
    0:05 > preserve  web  saved by the host (observed): a run of guestctl (preserve) took it down
    0:05   outcome   web  saved, 5s
    0:05   end       ok, 5s

docs/dev/scenarios.md says how to read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from guestctl.decisions import overview
from guestctl.decisions.policy import resolve
from guestctl.model.guest import GuestFacts, GuestId
from guestctl.model.overview import Row

from .chronicle import By
from .lines import TRUTH, Line, Speaker, duration
from .scenario import Story
from .telling import Became, Commanded, CommandEnded, Happened, Moment

#: Calls that only read are no news.
_READS = ("guests", "observe", "job", "block_jobs", "domain_info")
#: Who does what events.txt says of a guest.
_IN_EVENTS = (By.SOMEBODY, By.ITSELF)


def story_text(story: Story) -> str:
    """Why it is told, what happened in order of time, and how things stand at the end."""
    chapters = [lines for moments in story.chapters if (lines := chapter_lines(moments))]
    show = _Columns([line for lines in chapters for line in lines]).show
    parts = ["".join(map(show, lines)) for lines in chapters]
    return "\n".join([f"# {story.why}\n", *parts, _state(story), _calls(story)])


class _Columns:
    """Lines in columns that are as wide as the widest needs them."""

    def __init__(self, lines: Sequence[Line]) -> None:
        clocks = [_clock(line.time) for line in lines]
        self._whole = max((len(whole) for whole, _ in clocks), default=0)
        self._part = max((len(part) for _, part in clocks), default=0)
        self._names = max((len(line.guest) for line in lines), default=0)

    def show(self, line: Line) -> str:
        """The line as it stands in the story."""
        whole, part = _clock(line.time)
        time = f"{whole:>{self._whole}}{part:<{self._part}}"
        mark = ">" if line.in_trail else " "
        name = f"{line.guest:<{self._names}}  " if line.guest else ""
        error = _clock_error(line.clock_error) if line.clock_error else ""
        return f"{time} {mark} {line.kind:<8}  {name}{line.text}{error}\n"


def _clock_error(seconds: float) -> str:
    sign = "-" if seconds < 0 else "+"
    return f"  [clock {sign}{duration(abs(seconds))}]"


def _clock(seconds: float) -> tuple[str, str]:
    """1:02:03 and .45; without hours and hundredths that are zero."""
    minutes, hundredths = divmod(round(seconds * 100), 6000)
    hours, minutes = divmod(minutes, 60)
    whole, part = divmod(hundredths, 100)
    head = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{head}:{whole:02}", f".{part:02}" if part else ""


# -- what happened -------------------------------------------------------------------------------


def chapter_lines(moments: Sequence[Moment]) -> list[Line]:
    """A command's; what was told between two deeds is put in order by time and guest."""
    lines: list[Line] = []
    speaker = Speaker()
    for is_deed, stretch in groupby(_news(_folded(moments)), key=_is_deed):
        told = [line for moment in stretch for line in speaker.lines(moment)]
        lines += told if is_deed else _in_order(told)
    return lines


def _is_deed(moment: Moment) -> bool:
    return isinstance(moment.what, Commanded | Happened | CommandEnded)


def _folded(moments: Sequence[Moment]) -> list[Moment]:
    """A command and its end are one where that says something, and nothing is between them."""
    folded: list[Moment] = []
    for moment in moments:
        match folded[-1:], moment.what:
            case [Moment(time, Commanded(deed))], CommandEnded(str(said)):
                folded[-1] = Moment(time, Commanded(f"{deed}: {said}"))
            case _:
                folded.append(moment)
    return folded


def _news(moments: Sequence[Moment]) -> Iterator[Moment]:
    """Without what became of a guest just as somebody, or itself, is said to do so."""
    done = {(m.time, m.what.deed.split()[0]) for m in moments if isinstance(m.what, Happened)}
    for moment in moments:
        match moment:
            case Moment(time, Became(guest, entry)) if entry.by in _IN_EVENTS:
                if (time, guest) not in done:
                    yield moment
            case _:
                yield moment


def _in_order(lines: Sequence[Line]) -> Iterator[Line]:
    for _, group in groupby(sorted(lines, key=_instant_and_guest), key=_instant_and_guest):
        yield from _woven(list(group))


def _instant_and_guest(line: Line) -> tuple[float, str]:
    return round(line.time, 2), line.guest


def _woven(lines: Sequence[Line]) -> Sequence[Line]:
    """One guest's lines of one instant: the trail's where the run says the same, or between.

    What became of it in truth is told where nobody else says anything.
    """
    woven = [line for line in lines if not line.in_trail and line.kind != TRUTH]
    place = 0
    for entry in (line for line in lines if line.in_trail):
        same = [i for i in range(place, len(woven)) if woven[i].trail == entry.trail]
        if same:
            place = same[0]
            woven[place] = replace(woven[place], in_trail=True, clock_error=entry.clock_error)
        else:
            woven.insert(place, entry)
        place += 1
    return woven or lines


# -- the end -------------------------------------------------------------------------------------


def _state(story: Story) -> str:
    """What is there, and what guestctl makes of it: a guest a line."""
    facts = {guest.id: guest for guest in story.facts}
    made = overview.rows(
        story.facts,
        story.records,
        lambda g: resolve(story.config, g),
        story.now,
        owned=False,
    )
    table = [_cells(row, facts[GuestId(row.uri, row.uuid)]) for row in made]
    return f"at the end, {''.join(_clock(story.ended))}:\n{_in_columns(table)}"


def _cells(row: Row, facts: GuestFacts) -> tuple[str, ...]:
    by = f", stopped by {row.stopped_by}" if row.stopped_by else ""
    held = f"held: {row.held}" if row.held else ""
    return row.name, _seen(facts), f"wanted {row.wanted}{by}", f"next boot: {row.next_boot}", held


def _seen(guest: GuestFacts) -> str:
    saved = ", has a save" if guest.saved else ""
    transient = "" if guest.persistent else ", transient"
    return f"{guest.state} ({guest.reason}{saved}{transient})"


def _calls(story: Story) -> str:
    """The calls that were made, but for those that only read: a guest a line."""
    counts = Counter((c.guest, c.name) for c in story.calls if c.name not in _READS)
    guests = sorted({guest for guest, _ in counts})
    table = [(guest, ", ".join(_counted(counts, guest))) for guest in guests]
    return f"calls, at most {story.most_saves} saves at a time:\n{_in_columns(table)}"


def _counted(counts: Counter[tuple[str, str]], guest: str) -> list[str]:
    return [f"{number} {call}" for (name, call), number in sorted(counts.items()) if name == guest]


def _in_columns(table: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = ([f"{x:<{w}}" for x, w in zip(cells, widths, strict=True)] for cells in table)
    return "".join(f"  {'  '.join(cells)}".rstrip() + "\n" for cells in padded)
