"""Whatever facts a host may have, at random; with names that no other text has in it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from guestctl.config.config import Config, GuestOverride, Profiles
from guestctl.config.settings import (
    GUEST_PROFILE_SETTINGS,
    GUEST_SETTINGS,
    PROFILE_SETTINGS,
    SETTINGS,
    Boot,
    General,
    Order,
    Setting,
    Shutdown,
    UserShutdown,
)
from guestctl.decisions.host_facts import HostFacts, LostConnection
from guestctl.model.guest import Disk, DiskKind, DomainInfo, GuestFacts, GuestId, OwnSetting, State
from guestctl.model.history import Attempt, PastShutdown, PastStart
from guestctl.model.plan import RunKind, Step
from guestctl.model.record import GuestRecord, Wanted
from guestctl.model.result import StepEnd, Trigger
from guestctl.model.save import SaveRecord, SaveState
from guestctl.model.stop import Certainty, How, StoppedBy
from tests.unit.makers import BOOT, EARLIER_BOOT, texts
from tests.unit.toml_values import toml_values

Draw = Callable[[st.SearchStrategy[Any]], Any]

#: Nobody's text but a host's: to be found again wherever it is left.
MARK = "§"
own_texts = texts.map(lambda text: MARK + text) | st.sampled_from(
    [f"{MARK}db-1", f"{MARK}db-2", f'{MARK}]]\n"\\\x1b[2J\U0001f5a5']
)
uris = st.sampled_from(
    ["qemu:///system", "qemu:///session", f"test:///{MARK}/node.xml", f"qemu+ssh://{MARK}/system"]
)
ids = st.builds(GuestId, uris, st.integers(1, 4).map(lambda n: f"{MARK}{n:08}-a-b-c-d"))
boots = st.sampled_from([BOOT, EARLIER_BOOT])
times = st.integers(0, 2**62)
sizes = st.integers(0, 2**62) | st.integers(0, 2**40).map(lambda n: n * 2**20)
#: What libvirt says has names in quotes, and paths.
said = texts.filter(lambda text: MARK not in text) | st.builds(
    "{}{}{}".format, st.sampled_from(["cannot save '", "no file /", "ask ann@"]), own_texts, texts
)
#: Sound or not.
own_policy = st.builds(
    OwnSetting,
    st.sampled_from(["save", "after", "requires", "order", "start-delay", "restore"])
    | st.sampled_from(["profile.reboot.save", f"profile.{MARK}.poweroff", "profile.ups.sav"])
    | own_texts,
    st.sampled_from(["none", "5s", "3", "true", "db-*", "*", ""]) | own_texts,
)
infos = st.builds(
    DomainInfo,
    unsavable=st.lists(said, max_size=2).map(tuple),
    manager=st.none() | said,
    disks=st.none()
    | st.lists(st.builds(Disk, st.sampled_from(DiskKind), own_texts), max_size=3).map(tuple),
    digest=st.sampled_from(["", "0f" * 8, "f0" * 8]),
    has_agent=st.booleans(),
    restarts=st.booleans(),
    policy=st.lists(own_policy, max_size=3).map(tuple),
    policy_faults=st.lists(said, max_size=1).map(tuple),
)
guests = st.builds(
    GuestFacts,
    id=ids,
    name=own_texts,
    state=st.sampled_from(State),
    reason=st.sampled_from(["unknown", "booted", "shutdown", "migrated", "saved"]),
    persistent=st.booleans(),
    autostart=st.booleans(),
    autostart_once=st.booleans(),
    saved=st.booleans(),
    memory=sizes,
    info=infos,
)
attempts = st.builds(
    Attempt,
    st.integers(1, 9),
    st.sampled_from(RunKind),
    st.sampled_from(Trigger),
    st.sampled_from(Step),
    times,
    st.none() | times,
    st.none() | st.sampled_from(StepEnd),
)
records = st.builds(
    GuestRecord,
    id=ids,
    name=own_texts,
    wanted=st.none() | st.sampled_from(Wanted),
    stopped_by=st.none() | st.sampled_from(StoppedBy),
    stopped_at=st.none() | times,
    how=st.none() | st.sampled_from(How),
    certainty=st.none() | st.sampled_from(Certainty),
    up_boot=st.none() | boots,
    taken_down=st.booleans(),
    hold=st.none() | said,
    held_for_save=st.booleans(),
    settling=st.none() | boots,
    as_of=st.none() | boots,
    flag=st.none() | st.booleans(),
    flag_word=st.none() | st.booleans(),
    attempts=st.lists(attempts, max_size=3).map(tuple),
)
saves = st.builds(
    SaveRecord,
    guest=ids,
    memory=sizes,
    digest=st.sampled_from(["", "0f" * 8]),
    seconds=st.none() | st.floats(0, 1e6),
    state=st.sampled_from(SaveState),
    refusal=st.none() | said,
)


def _parsed(row: Setting, text: str) -> Any:
    return row.kind.parse(tomllib.loads(f"x = {text}")["x"])


@st.composite
def profiles(draw: Draw, rows: Sequence[Setting]) -> Profiles:
    """Some, by name."""
    found = {}
    for name in draw(st.lists(st.sampled_from(["reboot", "poweroff", "ups"]), unique=True)):
        chosen = draw(st.lists(st.sampled_from(rows), unique=True, max_size=3))
        found[name] = {row.name: _parsed(row, draw(toml_values(row))) for row in chosen}
    return found


@st.composite
def configs(draw: Draw) -> Config:
    """A configuration that is sound; its [[guest]] tables are for some of the guests."""
    values: dict[str, dict[str, Any]] = {section: {} for section in Config().sections}
    for row in draw(st.lists(st.sampled_from(SETTINGS), unique=True, max_size=8)):
        values[row.section][row.name] = _parsed(row, draw(toml_values(row)))
    matches = st.sampled_from([f"{MARK}db-*", f"{MARK}*", f"{MARK}00000001-A-B-C-D"]) | own_texts
    overrides = []
    for match in draw(st.lists(matches, max_size=3)):
        rows = draw(st.lists(st.sampled_from(GUEST_SETTINGS), unique=True, max_size=4))
        own = {row.name: _parsed(row, draw(toml_values(row))) for row in rows}
        overrides.append(GuestOverride(match, own, draw(profiles(GUEST_PROFILE_SETTINGS))))
    return Config(
        General(**values[""]),
        Shutdown(**values["shutdown"]),
        Boot(**values["boot"]),
        tuple(overrides),
        UserShutdown(**values["user-shutdown"]),
        Order(**values["order"]),
        draw(profiles(PROFILE_SETTINGS)),
    )


def _by_id(thing: Any) -> GuestId:
    found: GuestId = thing.id
    return found


host_facts = st.builds(
    HostFacts,
    boot=boots,
    at=times,
    uris=st.lists(uris, unique=True, min_size=1).map(tuple),
    owns_next_boot=st.booleans(),
    sees_all=st.booleans(),
    config=configs(),
    lost=st.lists(
        st.builds(LostConnection, uris, said, st.booleans()),
        max_size=2,
        unique_by=lambda lost: lost.uri,
    ).map(tuple),
    room=st.dictionaries(uris, sizes, max_size=3),
    guests=st.lists(guests, max_size=4, unique_by=_by_id).map(tuple),
    records=st.lists(records, max_size=4, unique_by=_by_id).map(tuple),
    saves=st.lists(saves, max_size=4).map(tuple),
    shutdowns=st.lists(st.builds(PastShutdown, ids, st.floats(0, 1e6)), max_size=3).map(tuple),
    starts=st.lists(
        st.builds(
            PastStart,
            ids,
            st.sampled_from(Step),
            st.floats(0, 1e6),
            st.none() | st.floats(0, 1e6),
        ),
        max_size=3,
    ).map(tuple),
)
