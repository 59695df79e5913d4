"""The one table of settings: key, kind, default, meaning, old names.

Each field of the classes below is a setting: its key is the field's name with "-" for "_", unless
told otherwise.
Reading, checking, the shipped sample and the manual page are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..model.options import Method, Scope, Unverifiable, UserAction
from ..model.readiness import Rule
from .kinds import (
    boolean,
    duration,
    duration_or_infinity,
    guest_list,
    one_of,
    rule_list,
    several_of,
    size,
    uri_list,
    whole_number,
    whole_number_or_none,
)
from .setting import Setting as Setting
from .setting import rows, setting

#: After so long poweroff.target and reboot.target force the host down (JobTimeoutSec=, unless a
#: drop-in says otherwise), whatever else systemd is told; a run for the host's stop ends well
#: before, whatever `deadline` says.
FORCED, LONGEST_STOP = 30 * 60.0, 27 * 60.0
#: What one guest can keep the others waiting for, when they come up.
HOUR = 3600.0


@dataclass(frozen=True)
class General:
    """Settings outside any section."""

    uris: tuple[str, ...] = setting(
        uri_list(),
        ("qemu:///system",),
        "The libvirt connections whose guests are looked after. Local ones only: the checks"
        " before a resume need the host's own files. \"default\" is the one that root's virsh takes"
        " where none is named: uri_default of /etc/libvirt/libvirt.conf, or what libvirt finds.",
        per_guest=False,
    )
    metadata: bool = setting(
        boolean(),
        True,
        "Whether the settings in the guests' own XML, in its <metadata>, count. They go over all"
        " sections; a [[guest]] goes over them.",
        per_guest=False,
    )


@dataclass(frozen=True)
class Shutdown:
    """[shutdown]: how guests are taken to safety."""

    save: Scope = setting(
        one_of(Scope.ALL, Scope.PERSISTENT, Scope.NONE),
        Scope.PERSISTENT,
        "Which guests get a managed save: their memory goes to disk, and they go on later where"
        ' they were. libvirt cannot save transient guests, so "all" means the same as'
        ' "persistent".',
    )
    shutdown: Scope = setting(
        one_of(*Scope),
        Scope.ALL,
        "Which guests are asked to shut down when they are not saved, or their save fails or"
        " runs out of time.",
    )
    poweroff: Scope = setting(
        one_of(*Scope),
        Scope.ALL,
        "Which guests have their plug pulled in the end, when nothing else worked. Without it"
        " such a guest is left running, and the end of the host ends it.",
    )
    save_timeout: float = setting(
        duration_or_infinity(1),
        600.0,
        'How long a managed save may take; then it is aborted. "infinity": as long as the deadline'
        " allows, less what the steps after it need.",
    )
    shutdown_timeout: float = setting(
        duration_or_infinity(1),
        90.0,
        'How long a guest may take to shut down once it was asked. "infinity": as long as the'
        " deadline allows, less what the steps after it need.",
    )
    job_timeout: float = setting(
        duration(),
        60.0,
        "How long to wait for another job of the guest (backup, migration, snapshot), or of its"
        " disks (block copy, commit, pull), before it is aborted. A managed save that is already"
        " under way is waited for as long as save-timeout says.",
    )
    methods: tuple[Method, ...] = setting(
        several_of(Method),
        (Method.AGENT, Method.ACPI),
        "How a guest is asked to shut down, in order of preference: by the guest agent inside"
        " it, by its ACPI power button. The request is repeated every few seconds.",
    )
    parallel: int = setting(
        whole_number(1, 16),
        16,
        "How many guests are saved at the same time. libvirtd has 20 workers for all its"
        " clients, hence the upper bound.",
        per_guest=False,
    )
    parallel_shutdowns: int | None = setting(
        whole_number_or_none(1, 999_999),
        None,
        "How many guests are shutting down at the same time: the next is asked once one of them"
        " is down, or its time is over. A guest for which no time would be left is asked at once,"
        ' beside the others. "none": all guests are asked at once.',
        per_guest=False,
    )
    bypass_cache: bool = setting(
        boolean(),
        True,
        "Whether saves bypass the host's page cache (O_DIRECT), where the file system can do that."
        " Many saves at a time are done sooner so, and do not push everything else out of memory.",
    )
    save_reserve: int = setting(
        size(),
        2**30,
        "How much room saves leave on their file system. Thin disk images may be on it as well,"
        " and guests whose writes find no room are paused. Guests that do not fit beside it are"
        " shut down instead of saved; what a guest needs is taken to be all of its memory.",
        per_guest=False,
    )
    shed: bool = setting(
        boolean(),
        False,
        "Whether `guestctl shed --profile NAME` takes the guest down, under that profile: so much"
        " longer a UPS lasts for the others. It comes back by `guestctl resume`, or at a boot.",
    )
    settle: float = setting(
        duration(),
        120.0,
        "A guest that somebody stops, and whose host goes down or loses power within this time,"
        " was stopped because of that: it comes back. A UPS client in the guest, or an operator's"
        " script, may be quicker than the host.",
        per_guest=False,
        per_profile=False,
    )
    deadline: float = setting(
        duration(10),
        1500.0,
        "How long the whole run may take. systemd ends the host's shutdown by force after"
        " 30 minutes, whatever else it is told (JobTimeoutSec= of poweroff.target): stay below."
        " Where that is less, a run has less time as well.",
        per_guest=False,
    )


@dataclass(frozen=True)
class Boot:
    """[boot]: how guests are brought back."""

    restore: bool = setting(
        boolean(),
        True,
        "Whether guests that are wanted on are brought back. `guestctl start GUEST` starts a"
        " guest whatever stands here, and so does a boot one with libvirt's autostart flag,"
        " unless somebody turned it off.",
    )
    start_delay: float = setting(
        duration(most=HOUR),
        0.0,
        "How long to wait after starting a guest before the next is started.",
    )
    parallel: int = setting(
        whole_number(1, 16),
        12,
        "How many starts and resumes are in flight at the same time. Guests that wait until they"
        " are ready, for others, or for their next attempt, do not count. Measured, both were the"
        " sooner done the more there were; guests that are to boot one after another want"
        " start-delay or an order. libvirtd has 20 workers for all its clients, hence the upper"
        " bound.",
        per_guest=False,
    )
    retries: int = setting(
        whole_number(0, 100), 3, "How often a start that failed is tried again, 5 s apart."
    )
    start_bypass_cache: bool = setting(
        boolean(),
        False,
        "Whether starts and resumes bypass the host's page cache (O_DIRECT) when they read a save,"
        " where the file system can do that.",
        key="bypass-cache",
        guest_key="start-bypass-cache",
    )
    start_timeout: float = setting(
        duration(1),
        300.0,
        "How long one start or resume may take. libvirt cannot be told to give up on one: the"
        " guest is then reported as failed, and may still come up.",
    )
    unverifiable: Unverifiable = setting(
        one_of(*Unverifiable),
        Unverifiable.RESUME,
        "What to do with a save when it cannot be told whether the guest's disks changed since:"
        ' block devices, disks on the network, saves that guestctl did not make. With "hold" the'
        " guest is held until a person decides.",
    )
    storage_timeout: float = setting(
        duration(),
        120.0,
        "How long a run waits for disks of a saved guest that are not there yet. The service does"
        " not give up then: it tries the guest again as soon as they are there, and keeps its own"
        " runs waiting for 10 s at most.",
    )
    start_retry: float = setting(
        duration(),
        600.0,
        "How long the service tries a guest again that a boot could not bring up, since what it"
        " needs may be late: disks, saves, a network, a device. Ever more rarely, and at once when"
        " something of the kind comes. Then it is given up: only what comes, a restart of the"
        " service, `guestctl start` or the next boot has it tried again. Of a guest that waits for"
        ' what it requires this time does not run. "0s": nothing but what comes has it tried.',
    )
    managed_elsewhere: bool = setting(
        boolean(),
        False,
        "Whether another program starts the guest, as a cluster manager does: guestctl then shuts"
        " it down and never starts it. Such a program may boot it anew, and throw a save away: it"
        " is saved only where a [[guest]] says `save`. Guests of OpenStack Nova, oVirt and KubeVirt"
        " are known by their metadata.",
    )
    sync_time: bool = setting(
        boolean(),
        True,
        "Whether a resumed guest gets the host's time through its guest agent. Guests without"
        " an agent keep the time of their save until their own NTP client mends it.",
    )
    refuse_starts: bool = setting(
        boolean(),
        True,
        "Whether libvirt refuses to start a guest that is held because of its managed save, also"
        " when `virsh start`, virt-manager or another program asks. It is told what to do"
        " instead. Done by a hook in /etc/libvirt/hooks/qemu.d, which libvirtd takes up as it"
        " starts.",
        per_guest=False,
    )


@dataclass(frozen=True)
class UserShutdown:
    """[user-shutdown]: what comes of guests that their users shut down from inside."""

    action: UserAction = setting(
        one_of(*UserAction),
        UserAction.KEEP_DOWN,
        'What comes of a guest that its user shut down. "keep-down": it stays off, until somebody'
        ' starts it. "restart": it is started again after a few seconds, unless the host is going'
        ' down. "ignore": who stopped it changes nothing, as with libvirt alone: at the next boot'
        " its autostart flag decides. A shutdown through the guest agent, as `virsh shutdown`"
        " prefers, looks like the user's; so does any shutdown of a container.",
        guest_key="user-shutdown",
    )
    request_window: float = setting(
        duration(1),
        300.0,
        "How long a press of a guest's power button (`virsh shutdown`) counts. A guest that"
        " ignored it, and shuts itself down later, was shut down by its user; within this time it"
        " counts as doing what the administrator asked for.",
        per_guest=False,
    )


@dataclass(frozen=True)
class Order:
    """[order]: who comes up after whom, and goes down before whom."""

    after: tuple[str, ...] = setting(
        guest_list(),
        (),
        "Guests, by name, pattern or UUID, that come up before this one, and go down only once it"
        " is down or its memory is being saved. One that is not to come up is not waited for. In"
        " [order] itself it is for every guest: the firewall, for one.",
    )
    requires: tuple[str, ...] = setting(
        guest_list(),
        (),
        "The same as after; and where one of them did not come up, this guest is not started, until"
        " that one is up.",
    )
    order: int | None = setting(
        whole_number_or_none(0, 999_999),
        None,
        "Guests with a lower number come up before those with a higher one, and go down after them;"
        " those with the same go together, those without one before nobody and after nobody.",
    )
    ready: tuple[Rule, ...] = setting(
        rule_list(),
        (),
        "What shows that a guest is ready, and those after it may come up: all of these have to"
        ' hold. "agent": its guest agent answers. "address": libvirt knows an address of it.'
        ' "tcp:PORT": a connection to that address is accepted. "delay:DURATION": so long has'
        " gone since it was started or resumed. Without any, a guest is ready as soon as it runs.",
    )
    ready_timeout: float = setting(
        duration(most=HOUR),
        120.0,
        "How long a guest may take to be ready once it runs. It is then up but unready: those"
        " after it come up all the same, those that require it are not started.",
    )


SECTIONS: Mapping[str, type] = {
    "": General,
    "shutdown": Shutdown,
    "boot": Boot,
    "user-shutdown": UserShutdown,
    "order": Order,
}
SETTINGS: tuple[Setting, ...] = tuple(
    row for section, table in SECTIONS.items() for row in rows(section, table)
)
#: Those whose values name guests.
LISTS_OF_GUESTS = frozenset({"after", "requires"})
#: What may stand in a [[guest]] beside `match`.
GUEST_SETTINGS: tuple[Setting, ...] = tuple(row for row in SETTINGS if row.per_guest)
#: What may stand in a [profile.NAME], and in a [guest.profile.NAME].
PROFILE_SETTINGS: tuple[Setting, ...] = tuple(
    row for row in SETTINGS if row.section == "shutdown" and row.per_profile
)
GUEST_PROFILE_SETTINGS: tuple[Setting, ...] = tuple(
    row for row in PROFILE_SETTINGS if row.per_guest
)
