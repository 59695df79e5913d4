"""The verb `doctor`: why the next shutdown or boot would not go as configured."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..config.last_good import Loaded
from ..control.configured import HOST_STATE, load_config, load_in_time
from ..control.doctor.examining import Examined, doctor, finding_json, keep_for_status
from ..model.finding import Finding, Severity
from .exits import Exit, complain, exit_of
from .sources import config_file, connect
from .text import emit, print_json, printable


def doctor_verb(arguments: Namespace) -> int:
    """`doctor`; 0 when nothing is worse than a note."""
    file, uri = config_file(arguments), connect(arguments)
    loaded = _loaded(file, strict=hasattr(arguments, "strict"))
    found = doctor(loaded, uri, hosts_files=file is None)
    if file is None and uri is None:
        keep_for_status(found)
    if not found.may_see:
        complain(f"what is wanted of the host's guests, in {HOST_STATE}, only root can read")
    if arguments.json:
        print_json([finding_json(finding) for finding in found.findings])
    else:
        emit("".join(f"{line}\n" for line in _lines(found)))
    return exit_of(found.failure) or (Exit.OK if found.is_well else Exit.NOT_ALL_WELL)


def _loaded(file: Path | None, *, strict: bool) -> Loaded:
    """Mistakes are findings."""
    if strict:
        return load_config(file, complain, strict=True)
    loaded = load_in_time(file)
    for notice in loaded.notices:
        complain(str(notice))
    return loaded


#: What stands before a line that goes on with the one above.
_MORE = " " * 9


def _lines(found: Examined) -> Iterator[str]:
    for finding in found.findings:
        yield from map(printable, _finding(finding))
    yield _count(found)


def _finding(finding: Finding) -> Iterator[str]:
    whom = f"{finding.name}: " if finding.name else ""
    yield f"{finding.severity + ':':<8} {whom}{finding.text} ({finding.check})"
    for text in finding.evidence:
        yield f"{_MORE}{text}"
    if finding.remedy:
        yield f"{_MORE}{finding.remedy}"
    if finding.command:
        yield f"{_MORE}-> {finding.command}"


def _count(found: Examined) -> str:
    count = Counter(finding.severity for finding in found.findings)
    told = [f"{count[it]} {it}{'' if count[it] == 1 else 's'}" for it in Severity if count[it]]
    return ", ".join(told) or "nothing is wrong"
