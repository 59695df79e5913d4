"""The shipped sample configuration, made from the table of settings.

`python3 -m tools.sample > etc/guestctl/guestctl.toml`; a test holds the file to it.
"""

from __future__ import annotations

import textwrap

from guestctl.config.settings import Setting

from .documents import body, called_otherwise, not_in_profiles, whole_run

_HEAD = """\
# guestctl: what becomes of this host's guests when it goes down, and when it is back.
#
# Every setting stands here with its default.  Drop-ins, /etc/guestctl/conf.d/*.toml, are
# read after this file in the order of their names; a later value wins, [[guest]] tables
# add up.  `guestctl check` checks it all, `guestctl plan` shows what it means.  The service
# reads what was written within seconds; `systemctl reload guestctl` has it read at once.
# Durations as in systemd.time(7): "90s", "3m", "1h 30min"; a number without a unit is one of
# seconds.  Sizes: KiB, MiB, GiB, TiB.
"""

_GUESTS = """\

# What differs for some guests.  match is a name, a pattern or a UUID; any setting above may
# stand beside it (here {called_otherwise}),
# but for those of the whole run ({whole_run}).
# Where several tables match, the later one wins, setting by setting.
#
#[[guest]]
#match = "db-*"
#shutdown-timeout = "5min"
#poweroff = "none"

# What of [shutdown] differs with the way in which the host goes down: reboot (also kexec and
# soft-reboot) and poweroff (also halt), or in a profile that `guestctl shutdown --profile` names.
# All but {not_in_profiles} may stand in one; a [guest.profile.NAME] after a [[guest]] is for its
# guests, and goes over all else.
#
#[profile.reboot]
#save = "none"
#
#[profile.ups]
#deadline = "3min"
"""


def sample() -> str:
    """The whole file."""
    return (
        _HEAD
        + body(_heading, _entry)
        + _GUESTS.format(
            whole_run=", ".join(whole_run()),
            called_otherwise=called_otherwise(),
            not_in_profiles=", ".join(not_in_profiles()),
        )
    )


def _heading(section: str) -> str:
    return f"\n[{section}]\n" if section else ""


def _entry(row: Setting) -> str:
    meaning = _comment(row.meaning)
    expected = _comment(f"Expected: {row.kind.expected}.")
    return f"\n{meaning}\n{expected}\n#{row.key} = {row.kind.show(row.default)}\n"


def _comment(text: str) -> str:
    lead = "# "
    return textwrap.fill(
        text, 90, initial_indent=lead, subsequent_indent=lead, break_on_hyphens=False
    )


if __name__ == "__main__":
    print(sample(), end="")
