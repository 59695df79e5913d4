"""Config and guest to policy: what is wanted for one guest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from ..config.config import Config, GuestOverride
from ..config.own import NOTHING_OWN, OwnSettings, read_own
from ..config.settings import Boot, Order, Shutdown, UserShutdown
from ..model.guest import GuestFacts
from ..model.options import Scope, UserAction


@dataclass(frozen=True)
class Policy:
    """The settings of one guest, its own and its [[guest]] tables applied.

    told: the names of those that its own XML or a [[guest]] gives.
    """

    shutdown: Shutdown
    boot: Boot
    user_shutdown: UserShutdown = field(default_factory=UserShutdown)
    order: Order = field(default_factory=Order)
    told: frozenset[str] = field(default=frozenset(), compare=False)


#: Of whom XML was not read yet: who is not started by this is not started by any policy.
WILLING = Policy(
    Shutdown(),
    Boot(restore=True, managed_elsewhere=False),
    UserShutdown(action=UserAction.IGNORE),
)


def resolve(config: Config, guest: GuestFacts) -> Policy:
    """The policy of a guest: its own metadata over the sections, and over these every matching
    [[guest]], a later one over an earlier one.

    Whoever may change a guest's XML need not be whoever answers for the host, who has the last
    word.  Of a guest whose XML was not read the rest counts.
    """
    own = own_settings(config, guest)
    values = {**own.values, **own.profiles.get(config.in_force, {})}
    for override in config.guests:
        if matches(override, guest):
            values.update(override.values)
    return Policy(
        _with(config.shutdown, values),
        _with(config.boot, values),
        _with(config.user_shutdown, values),
        _with(config.order, values),
        frozenset(values),
    )


def own_settings(config: Config, guest: GuestFacts) -> OwnSettings:
    """What the guest's own XML gives, as far as it counts."""
    return read_own(guest.info.policy) if config.general.metadata else NOTHING_OWN


def own_problems(config: Config, guest: GuestFacts) -> tuple[str, ...]:
    """What is wrong with what its XML gives; that counts as not given."""
    if not config.general.metadata:
        return ()
    return (*guest.info.policy_faults, *own_settings(config, guest).problems)


def unmatched(config: Config, guests: Collection[GuestFacts]) -> list[int]:
    """Which [[guest]] tables, from 0, are for none of these guests."""
    tables = enumerate(config.guests)
    return [n for n, table in tables if not any(matches(table, guest) for guest in guests)]


def matches(override: GuestOverride, guest: GuestFacts) -> bool:
    """Whether a [[guest]] table is for this guest."""
    return is_called(guest, override.match)


def is_called(guest: GuestFacts, text: str) -> bool:
    """Whether the text is the guest's UUID, its name, or a pattern of it."""
    if text.lower() == guest.id.uuid.lower() or text == guest.name:
        return True
    return fnmatchcase(guest.name, text)


S = TypeVar("S", Shutdown, Boot, UserShutdown, Order)


def _with(settings: S, values: dict[str, Any]) -> S:
    if not values:
        return settings  # of most guests: a thousand are asked for several times in a run
    own = {row.name for row in fields(settings)}
    return replace(settings, **{name: value for name, value in values.items() if name in own})


def in_scope(scope: Scope, guest: GuestFacts) -> bool:
    """Whether a step with this scope is for this guest."""
    if scope is Scope.PERSISTENT:
        return guest.persistent
    if scope is Scope.TRANSIENT:
        return not guest.persistent
    return scope is Scope.ALL
