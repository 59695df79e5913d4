"""Where the command line's output goes: pipes, terminals, nowhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.unit.command import LIMIT, TEST, Command
from tests.unit.prepared import ODD_NAME
from tests.unit.terminals import on_terminal

#: What moves the cursor, or colours.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _with_stdout(command: Command, verb: list[str], redirection: str) -> Any:
    """Run with stdout redirected by a shell; the status of guestctl itself."""
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("there is no bash to redirect with")
    script = f'"$@" {redirection}; exit "${{PIPESTATUS[0]}}"'
    return subprocess.run(
        [shell, "-c", script, "-", *command.argv(*verb, "-c", TEST)],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        **command.options(),
    )


OUTPUT = [["list"], ["list", "--json"], ["shutdown", "--preserve"]]


@pytest.mark.parametrize("verb", OUTPUT)
def test_a_reader_that_has_had_enough_is_no_failure(command: Command, verb: list[str]) -> None:
    # `:` is gone long before the first line is written.
    result = _with_stdout(command, verb, "| :")
    assert (result.returncode, result.stderr) == (0, "")


def test_watch_ends_when_nobody_reads_it_any_more(command: Command) -> None:
    watch = command.argv("watch", "-c", TEST)
    pipe, options = subprocess.PIPE, command.options()
    with subprocess.Popen(watch, stdout=pipe, stderr=pipe, text=True, **options) as watching:
        assert watching.stdout
        assert watching.stderr
        assert any("connected to" in line for line in watching.stderr)
        watching.stdout.close()
        command.run("hold", "-c", TEST, "test")
        try:
            assert watching.wait(LIMIT) == 0
        finally:
            watching.kill()


@pytest.mark.parametrize("verb", OUTPUT[:2])
def test_a_closed_stdout_is_no_failure(command: Command, verb: list[str]) -> None:
    result = _with_stdout(command, verb, ">&-")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_shutdown_needs_no_stream_at_all(command: Command) -> None:
    result = _with_stdout(command, ["shutdown", "--preserve"], ">&- 2>&- <&-")
    assert result.returncode == 0
    assert command.json("history")[0]["ok"] is True


@pytest.mark.parametrize("verb", [["list"], ["list", "--json"]])
def test_output_that_is_lost_is_a_failure(command: Command, verb: list[str]) -> None:
    """A full disk, say: a script must not take half a list for the whole."""
    result = _with_stdout(command, verb, ">/dev/full")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_terminal_that_lacks_letters_is_no_failure(
    command: Command, node: str, locale: dict[str, str]
) -> None:
    assert "st [bold]x" in command.run("list", "-c", node, env=locale).stdout
    named = json.loads(command.run("list", "--json", "-c", node, env=locale).stdout)
    assert ODD_NAME in [row["name"] for row in named]


def test_tables_are_whole_for_a_pipe(command: Command, node: str) -> None:
    """Whatever width the environment claims."""
    out = command.run("list", "-c", node, env={"COLUMNS": "20"}).stdout.splitlines()
    headings = "NAME STATE WANTED SAVED NEXT BOOT STOPPED BY"
    assert " ".join(out[0].split()) == headings
    assert out[4:] == [
        "",
        "passing: stay-down: it is transient: libvirt forgets it once it is down",
    ]
    assert any(line.startswith(f"{ODD_NAME}  shut off") for line in out)


def test_quiet_says_nothing_when_all_is_well(command: Command) -> None:
    result = command.run("shutdown", "--preserve", "-q", "-c", TEST)
    assert (result.stdout, result.stderr) == ("", "")


def test_plain_lines_for_a_pipe(command: Command) -> None:
    out = command.run("shutdown", "--preserve", "-c", TEST).stdout.splitlines()
    assert out[0] == "preserve of 1 guest (command)"
    assert out[1] == "test: save begins, at most 10min"
    assert out[2].startswith("test: saved after ")
    assert out[3:] == ["1 guest: 1 saved"]


def test_a_run_on_a_real_terminal_of_80_columns(command: Command) -> None:
    options = command.options()
    out = on_terminal(
        command.argv("shutdown", "--preserve", "-c", TEST),
        env=options["env"],
        user=options.get("user"),
        folder=str(command.home),
    )
    # A run that is drawn several times begins a frame on the line that it has just erased.
    lines = CONTROL.sub("", out.replace("\x1b[2K", "\n")).replace("\r", "").splitlines()
    assert all(len(line) <= 80 for line in lines)
    title, heading, guest, summary = lines[-4:]
    assert re.search(r"Preserving 1 guest: 1 of 1 done, \d+\.\ds$", title)
    assert heading.split() == ["guest", "step", "progress", "left", "elapsed"]
    assert re.fullmatch(r"test +saved +\d+\.\ds", guest)
    assert summary == "1 guest: 1 saved"
