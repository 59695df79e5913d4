"""The ways in which a guest stops, or does not, each with what guestctl has to make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.testbed.commands import CommandError
from tests.testbed.guests import GuestSpec
from tests.testbed.host import Host

Deed = Callable[[Host, str], object]

#: Ticks until guests of these kinds power themselves off.
SOON, LATER = 5, 35
#: A request to shut down counts for so many seconds; the guests above keep well off it.
WINDOW = 18
FLAGGED = " flagged"
IMAGES = Path("/var/lib/libvirt/images")


@dataclass(frozen=True)
class Case:
    """A guest, what is done to it once it runs, and what is to be said of it.

    who, how, certainty: of its stop; who is None for one that has not stopped.  A certainty of
    "" is not looked at.  back: whether the next boot brings it back.
    """

    name: str
    spec: GuestSpec
    deed: Deed | None
    who: str | None
    how: str | None = None
    certainty: str = "observed"
    back: bool = False

    @property
    def flagged(self) -> Case:
        """The same with libvirt's autostart flag, which changes nothing."""
        name = self.name + FLAGGED
        return replace(self, name=name, spec=replace(self.spec, name=name))


def virsh(*arguments: str) -> Deed:
    """A command of an administrator; GUEST stands for the guest."""

    def do(host: Host, name: str) -> object:
        uuid = host.id_of(name)
        return host.virsh(*(argument.replace("GUEST", uuid) for argument in arguments))

    return do


def ask_agent(host: Host, name: str) -> None:
    """To shut down; it may be gone by the time that it would answer."""
    try:
        virsh("shutdown", "--mode", "agent", "GUEST")(host, name)
    except CommandError as error:
        if "End of file from agent socket" not in str(error):
            raise


def signal(number: str) -> Deed:
    """To the guest's QEMU."""
    return lambda host, name: host.run(["kill", f"-{number}", str(host.qemu_pid(name))])


def pause_and_resume(host: Host, name: str) -> None:
    """Neither is a stop."""
    host.virsh("suspend", host.id_of(name))
    host.virsh("resume", host.id_of(name))


def make_snapshot(host: Host, spec: GuestSpec) -> None:
    """Of the guest as it is before it is first started."""
    host.run(["qemu-img", "create", "-q", "-f", "qcow2", str(spec.disk), "1M"])
    host.define(spec)
    host.virsh("snapshot-create-as", spec.id, "off")


def _case(
    name: str,
    deed: Deed | None,
    who: str | None,
    how: str | None = None,
    certainty: str = "observed",
    *,
    back: bool = False,
    **spec: object,
) -> Case:
    guest = replace(GuestSpec(name), **spec)  # type: ignore[arg-type]  # by name
    return Case(name, guest, deed, who, how, certainty, back)


PRESS = virsh("shutdown", "--mode", "acpi", "GUEST")
PANIC = virsh("inject-nmi", "GUEST")
USER, ADMIN = "user", "administrator"

CASES = [
    _case("poweroff inside", None, USER, "shut down", poweroff_after=SOON),
    _case("virsh shutdown", PRESS, ADMIN, "shut down"),
    # Nothing tells it from the user's own: the evidence says that there is an agent.
    _case(
        "by the agent",
        ask_agent,
        USER,
        "shut down",
        "likely",
        agent=True,
    ),
    _case(
        "ignored, then poweroff soon",
        PRESS,
        ADMIN,
        "shut down",
        button="ignore",
        poweroff_after=WINDOW - 8,
    ),
    _case(
        "ignored, then poweroff late",
        PRESS,
        USER,
        "shut down",
        "likely",
        button="ignore",
        poweroff_after=LATER,
    ),
    _case(
        "virsh reboot, then poweroff",
        virsh("reboot", "--mode", "acpi", "GUEST"),
        USER,
        "shut down",
        poweroff_after=LATER,
    ),
    _case("virsh destroy", virsh("destroy", "GUEST"), ADMIN, "powered off"),
    _case("SIGTERM", signal("TERM"), ADMIN, "powered off"),
    _case("SIGKILL", signal("KILL"), "crash", "crashed", back=True),
    _case("panic destroy", PANIC, "crash", "crashed", back=True, on_crash="destroy"),
    _case("panic restart", PANIC, None, back=True, on_crash="restart"),
    _case("panic preserve", PANIC, None, back=True, on_crash="preserve"),
    _case(
        "panic coredump-destroy", PANIC, "crash", "crashed", back=True, on_crash="coredump-destroy"
    ),
    _case("panic coredump-restart", PANIC, None, back=True, on_crash="coredump-restart"),
    _case("reboot inside", None, None, back=True, reboot_after=20),
    _case("virsh reset", virsh("reset", "GUEST"), None, back=True),
    _case("paused and resumed", pause_and_resume, None, back=True),
    _case("virsh managedsave", virsh("managedsave", "GUEST"), ADMIN, "saved"),
    _case("virsh save", virsh("save", "GUEST", "/var/tmp/GUEST.saved"), ADMIN, "saved"),
    _case("runs", None, None, back=True),
]
