"""The manual page of the configuration, made from the table of settings.

`python3 -m tools.manual > docs/man/guestctl.toml.5`; a test holds the file to it.
"""

from __future__ import annotations

from guestctl.config.settings import Setting

from .documents import body, called_otherwise, not_in_profiles, whole_run

_HEAD = r"""
.\" Made by `make sample` from guestctl/config/settings.py.
.TH GUESTCTL.TOML 5 "" guestctl "File Formats"
.SH NAME
guestctl.toml \- configuration of guestctl
.SH SYNOPSIS
.I /etc/guestctl/guestctl.toml
.PP
.I /etc/guestctl/conf.d/*.toml
.SH DESCRIPTION
What becomes of a host's guests when the host goes down, and when it is back.
The format is TOML.
Drop\-ins are read after the file itself in the order of their names; a later value wins,
.B [[guest]]
tables add up.
.B guestctl check
checks it all,
.B guestctl plan
shows what it means.
The service reads what was written before its next run and, unasked, within seconds;
.B guestctl reload
has it read at once, and fails where there is a mistake.
With a mistake the last good configuration is used.
.PP
Durations are written as in
.BR systemd.time (7):
"90s", "3m", "1h 30min"; a number without a unit, 180 or "180", is one of seconds.
Sizes: KiB, MiB, GiB, TiB.
.SH SETTINGS
"""

_TAIL = r"""
.SS [[guest]]
What differs for some guests.
.B match
is a name, a pattern or a UUID; any setting above may stand beside it
(here @called_otherwise@), but for those of the whole run (@whole_run@).
Where several tables match, the later one wins, setting by setting.
.SS [profile.NAME], [guest.profile.NAME]
Settings of [shutdown], but for @not_in_profiles@, that are in force instead of the usual ones
when the host goes down in one way:
.B [profile.reboot]
when it reboots, also by kexec or a soft reboot, and
.B [profile.poweroff]
when it powers off or halts.
Any other name, of letters, digits, "\-" and "_", is used where
.B guestctl shutdown \-\-profile
names it.
.PP
A
.B [guest.profile.NAME]
after a [[guest]] is for the guests of that table.
Over the defaults go [shutdown], [profile.NAME], every [[guest]] that matches,
and what these have in
.BR [guest.profile.NAME] .
.PP
How the host goes down is what logind says, and else which of reboot.target, kexec.target,
soft\-reboot.target, poweroff.target and halt.target systemd is to reach.
Where neither tells, the usual settings are used, and the journal says so.
With systemd 252 (Debian 12) logind does not say it as it announces the stop: the usual settings
are in force until its delay (5 s) is over, and guests that are still up then go by the profile.
.SH EXAMPLES
.nf
[[guest]]
match = "db\-*"
shutdown\-timeout = "5min"
poweroff = "none"

[guest.profile.poweroff]
save = "none"

[profile.ups]
deadline = "3min"
shutdown\-timeout = "20s"
.fi
.SH SEE ALSO
.BR guestctl (1),
.BR guestctl\-daemon (8)
"""


def manual() -> str:
    """The whole page, in the man macros."""
    tail = _TAIL.lstrip().replace("@whole_run@", _roff(", ".join(whole_run())))
    tail = tail.replace("@called_otherwise@", _roff(called_otherwise()))
    tail = tail.replace("@not_in_profiles@", _roff(", ".join(not_in_profiles())))
    return _HEAD.lstrip() + body(_heading, _entry) + tail


def _heading(section: str) -> str:
    title = _roff(f"[{section}]") if section else "Outside any section"
    return f".SS {title}\n"


def _entry(row: Setting) -> str:
    line = f"{row.key} = {row.kind.show(row.default)}"
    expected = f"Expected: {_roff(row.kind.expected)}.\n"
    return f".TP\n.B {_roff(line)}\n{_roff(row.meaning)}\n{expected}{_once(row)}"


def _once(row: Setting) -> str:
    return f"Once called {_roff(', '.join(row.old_names))}.\n" if row.old_names else ""


def _roff(text: str) -> str:
    """Text that roff prints as it is; none of ours begins with a dot or a quote."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")


if __name__ == "__main__":
    print(manual(), end="")
