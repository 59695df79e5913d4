"""org.guestctl1: the tables of what it has on the bus, which programs rely on.

docs/reference/dbus.md is written from them.  Nothing is ever taken away, and no signature changes;
what is new is added.
"""

from __future__ import annotations

from enum import StrEnum

from ..host.bus_interface import Argument, Emits, Interface, Method, Property, Signal

NAME = "org.guestctl1"
ROOT = "/org/guestctl1"
GUESTS, RUNS = f"{ROOT}/guest", f"{ROOT}/run"
#: Where there is no run, CurrentRun is this.
NO_RUN = "/"
#: Before the words of control.requests.Failure, in CamelCase: NotAllWell, WrongRequest, …
ERRORS = f"{NAME}.Error"
#: Characters of a name or another text in a call, and what a run may be given, in seconds: a day.
LONGEST_TEXT, LONGEST_WITHIN = 4096, 86400.0


class Needs(StrEnum):
    """What a caller must be allowed to; all but READ is polkit's word for it, after the name."""

    READ = "read"
    SHUTDOWN = "shutdown"
    START = "start"
    HOLD = "hold"
    POLICY = "policy"

    @property
    def action(self) -> str:
        """polkit's action."""
        return f"{NAME}.{self.value}"


#: Keys of options, with their signatures; `command` is what was typed, for the trails.
_SAID = {"reason": "s", "command": "s"}
OPTIONS: dict[str, dict[str, str]] = {
    "Preserve": {**_SAID, "within": "d", "profile": "s", "without_ledger": "b"},
    "Shutdown": {**_SAID, "within": "d", "profile": "s", "without_ledger": "b", "all": "b"},
    "Start": {**_SAID, "decision": "s", "run": "u"},
    "Shed": {**_SAID, "within": "d", "profile": "s", "order": "u"},
    "Resume": _SAID,
    "Hold": _SAID,
    "Release": _SAID,
    "Forget": _SAID,
    "SetPolicy": _SAID,
}

_NAMES, _OPTIONS = Argument("guests", "as"), Argument("options", "a{sv}")
_RUN, _MARKED = Argument("run", "o"), Argument("marked", "a(ss)")
_JSON, _COMPLAINTS = Argument("json", "s"), Argument("complaints", "as")

MANAGER = Interface(
    f"{NAME}.Manager",
    methods=(
        Method(
            "Subscribe",
            needs=Needs.READ,
            doc="Have the caller told of signals until it leaves.",
        ),
        Method("Unsubscribe", needs=Needs.READ, doc="No signals any more."),
        Method(
            "ListGuests",
            returns=(Argument("guests", "a(ssssssso)"),),
            needs=Needs.READ,
            doc="Of each: name, UUID, connection, state, wanted, next boot, hold, object.",
        ),
        Method(
            "GetGuest",
            (Argument("guest", "s"),),
            (Argument("object", "o"),),
            Needs.READ,
            "The object of the guest with this name or UUID.",
        ),
        Method(
            "GetFacts",
            returns=(Argument("facts", "s"), _COMPLAINTS),
            needs=Needs.READ,
            doc="What `guestctl facts` prints.",
        ),
        Method(
            "GetStatus",
            returns=(_JSON, _COMPLAINTS),
            needs=Needs.READ,
            doc="What `guestctl status --json` prints.",
        ),
        Method(
            "GetHistory",
            (Argument("count", "u"), _NAMES, Argument("kind", "s")),
            (_JSON, _COMPLAINTS),
            Needs.READ,
            "What `guestctl history --json` prints: the newest runs, of these guests or of all, of"
            " this kind (`preserve`, `shutdown`, `restore`) or of each where it is empty.",
        ),
        Method(
            "Why",
            (Argument("guest", "s"),),
            (_JSON, _COMPLAINTS),
            Needs.READ,
            "The reason trail of guests of this name or UUID, oldest first: a list of objects with"
            " `uri`, `uuid`, `source`, `reason`, `at`.",
        ),
        Method(
            "Preserve",
            (_NAMES, _OPTIONS),
            (_RUN,),
            Needs.SHUTDOWN,
            "As `guestctl shutdown --preserve`: these guests, or all where none is named."
            " Options: `reason`, `within` (seconds), `profile`, `without_ledger`.",
        ),
        Method(
            "Shutdown",
            (_NAMES, _OPTIONS),
            (_RUN,),
            Needs.SHUTDOWN,
            "As `guestctl shutdown GUEST…`; all guests with the option `all` and no names."
            " Options: `reason`, `within` (seconds), `profile`, `without_ledger`, `all`.",
        ),
        Method(
            "Start",
            (_NAMES, _OPTIONS),
            (_RUN,),
            Needs.START,
            "As `guestctl start`: these guests, or all that are wanted on. Options: `reason`,"
            " `decision` (`resume-anyway`, `discard-save`), `run` (whom it took down).",
        ),
        Method(
            "Shed",
            (_NAMES, _OPTIONS),
            (_RUN,),
            Needs.SHUTDOWN,
            "As `guestctl shed`: these guests, or whom the options mean. Options: `reason`,"
            " `within` (seconds), `profile`, `order`.",
        ),
        Method(
            "Resume",
            (_NAMES, _OPTIONS),
            (_RUN,),
            Needs.START,
            "As `guestctl resume`: those of these guests, or of all, that are shed still. A run"
            " that sheds guests is ended for it. Options: `reason`.",
        ),
        Method(
            "Hold",
            (_NAMES, _OPTIONS),
            (_MARKED,),
            Needs.HOLD,
            "As `guestctl hold`: name, text.",
        ),
        Method(
            "Release",
            (_NAMES, _OPTIONS),
            (_MARKED,),
            Needs.HOLD,
            "As `guestctl release`: name, text.",
        ),
        Method(
            "Forget",
            (_NAMES, _OPTIONS),
            (_MARKED,),
            Needs.HOLD,
            "As `guestctl forget`: name, text.",
        ),
        Method(
            "SetPolicy",
            (
                Argument("guest", "s"),
                Argument("set", "a{ss}"),
                Argument("unset", "as"),
                _OPTIONS,
            ),
            (_JSON,),
            Needs.POLICY,
            "As `guestctl policy --set KEY=VALUE --unset KEY`: an object with `changes`,"
            " `remarks`, `booked`.",
        ),
        Method(
            "Reload",
            returns=(Argument("changes", "as"),),
            needs=Needs.POLICY,
            doc="As `guestctl reload`: read the configuration; what is different now.",
        ),
    ),
    properties=(
        Property("Version", "s", "guestctl's.", Emits.CONST),
        Property(
            "Activity",
            "s",
            "`watching`, `preserving`, `bringing guests back`, `down`.",
        ),
        Property("CurrentRun", "o", f"The run under way; `{NO_RUN}` where there is none."),
        Property("GuestsUp", "as", "Names of the guests that are up."),
        Property("Waiting", "a(sss)", "Who could not be brought up: name, connection, what for."),
        Property("InhibitorHeld", "b", "Whether logind's delay inhibitor is held."),
        Property("ConfigurationSource", "s", "Where the configuration in use is from."),
        Property("ConfigurationProblems", "as", "Mistakes in the files."),
    ),
    signals=(
        Signal(
            "RunBegan",
            (_RUN, Argument("kind", "s"), Argument("trigger", "s")),
            "Guests are being taken down or brought up.",
        ),
        Signal(
            "RunEnded",
            (_RUN, Argument("kind", "s"), Argument("trigger", "s"), Argument("ok", "b")),
            "A run is over; ok: whether every guest is where it should be.",
        ),
        Signal(
            "Verdict",
            (
                Argument("guest", "o"),
                Argument("name", "s"),
                Argument("stopped_by", "s"),
                Argument("how", "s"),
                Argument("certainty", "s"),
                Argument("evidence", "as"),
            ),
            "Who stopped a guest.",
        ),
        Signal("Happened", (_JSON,), "A line as `guestctl watch --json` prints it."),
    ),
    needs=Needs.READ,
    doc="The service.",
)

_LIKE = "As of the manager, for this guest."
GUEST = Interface(
    f"{NAME}.Guest",
    methods=(
        Method("Why", (), (_JSON, _COMPLAINTS), Needs.READ, _LIKE),
        Method("Preserve", (_OPTIONS,), (_RUN,), Needs.SHUTDOWN, _LIKE),
        Method("Shutdown", (_OPTIONS,), (_RUN,), Needs.SHUTDOWN, _LIKE),
        Method("Start", (_OPTIONS,), (_RUN,), Needs.START, _LIKE),
        Method(
            "Hold",
            (_OPTIONS,),
            (Argument("text", "s"),),
            Needs.HOLD,
            _LIKE,
        ),
        Method(
            "Release",
            (_OPTIONS,),
            (Argument("text", "s"),),
            Needs.HOLD,
            _LIKE,
        ),
    ),
    properties=(
        Property("Name", "s", "Its name."),
        Property("UUID", "s", "Its UUID.", Emits.CONST),
        Property("URI", "s", "The connection that it is on.", Emits.CONST),
        Property("State", "s", "libvirt's word, or `unknown`; empty where it is not listed."),
        Property(
            "UpSince",
            "t",
            "In nanoseconds since the epoch; 0 where that is not known.",
        ),
        Property("Wanted", "s", "`on`, `off`, or empty where nothing is decided."),
        Property("Saved", "b", "Whether it has a managed save."),
        Property("Autostart", "b", "libvirt's flag."),
        Property("StoppedBy", "s", "Who stopped it; empty where it is up, or nobody knows."),
        Property("StoppedHow", "s", "In which way."),
        Property("StoppedAt", "t", "In nanoseconds since the epoch; 0 where nobody knows."),
        Property("Certainty", "s", "How sure that is: `observed`, `likely`, `inferred`."),
        Property("Held", "s", "Why it is held; empty where it is not."),
        Property(
            "NextBoot",
            "s",
            "`resume`, `start`, `stay-down`, `held`, or empty.",
        ),
        Property("Reason", "s", "Why the next boot does that."),
        Property("Waiting", "s", "What it waits for, or why it was given up."),
        Property("Shed", "s", "Why it is shed; empty where it is not."),
        Property("Unready", "s", "Why it was not ready in time though it is up."),
    ),
    needs=Needs.READ,
    doc="A guest, at `/org/guestctl1/guest/CONNECTION/UUID`.",
)

RUN = Interface(
    f"{NAME}.Run",
    methods=(
        Method(
            "Cancel",
            needs=Needs.SHUTDOWN,
            doc="End it as Ctrl-C does: no further step is begun, a save under way is aborted."
            " One that brings guests up needs `start` in place of `shutdown`. One that nobody"
            " asked for cannot be cancelled.",
        ),
        Method(
            "Events",
            (Argument("from", "t"),),
            (Argument("events", "a(ts)"), Argument("ended", "b")),
            Needs.READ,
            "What it has told so far, from this number on (0: all): number and JSON of each.",
        ),
    ),
    properties=(
        Property("Number", "t", "Its number in `guestctl history`; 0 without a ledger."),
        Property("Kind", "s", "`preserve`, `shutdown`, `restore`.", Emits.CONST),
        Property("Trigger", "s", "What triggered it, as in `guestctl history`.", Emits.CONST),
        Property("User", "s", "Who asked for it; empty for nobody.", Emits.CONST),
        Property("Origin", "s", "The terminal or the unit where they did.", Emits.CONST),
        Property("Command", "s", "What they typed.", Emits.CONST),
        Property("Began", "t", "When, in nanoseconds since the epoch.", Emits.CONST),
        Property("State", "s", "`preparing`, `running`, `ended`."),
        Property("Ok", "b", "Once it has ended: whether every guest is where it should be."),
        Property(
            "Guests",
            "a(sssd)",
            "Of each guest: name; the step under way, or the outcome, or `waiting`; the reason; how"
            " far the step is, from 0 to 1, or -1 where that is not known.",
        ),
    ),
    signals=(
        Signal("Event", (Argument("number", "t"), _JSON), "As `Events` has it."),
        Signal(
            "Ended",
            (Argument("ok", "b"), _JSON),
            "It is over; JSON as `guestctl shutdown --json` prints it.",
        ),
    ),
    needs=Needs.READ,
    doc="A run of the service, at `/org/guestctl1/run/N`: one that goes on, or of the newest few.",
)
INTERFACES = (MANAGER, GUEST, RUN)
