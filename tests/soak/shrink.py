"""Makes a story that fails smaller, as long as it fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from guestctl.config.config import Config
from tests.sim.behaviour import Behaviour, GuestSpec
from tests.sim.events import Turn
from tests.sim.scenario import Script

Fails = Callable[[Script], bool]


def shrink(script: Script, fails: Fails) -> Script:
    """The smallest story that is found by leaving out one thing after another."""
    while (smaller := next(filter(fails, _smaller(script)), None)) is not None:
        script = smaller
    return script


def _smaller(script: Script) -> Iterator[Script]:
    """Every story with one thing less, larger things first."""
    for turns in _without_a_turn(script.turns):
        yield replace(script, turns=turns)
    for index, guest in enumerate(script.guests):
        others = script.guests[:index] + script.guests[index + 1 :]
        if others and not _is_named(script, guest.name):
            yield replace(script, guests=others)
    for turns in _without_a_happening(script.turns):
        yield replace(script, turns=turns)
    if script.room:
        yield replace(script, room={})
    for config in _plainer_configs(script.config):
        yield replace(script, config=config)
    for index, guest in enumerate(script.guests):
        for plainer in _plainer_guests(guest):
            changed = [*script.guests[:index], plainer, *script.guests[index + 1 :]]
            yield replace(script, guests=changed)


def _is_named(script: Script, name: str) -> bool:
    deeds = [line.deed for turn in script.turns for line in turn.happenings]
    deeds += [turn.command.deed for turn in script.turns if turn.command]
    return any(name in deed.split() for deed in deeds)


def _without_a_turn(turns: list[Turn]) -> Iterator[list[Turn]]:
    for index in range(1, len(turns)):
        yield turns[:index] + turns[index + 1 :]


def _without_a_happening(turns: list[Turn]) -> Iterator[list[Turn]]:
    for index, turn in enumerate(turns):
        for place in range(len(turn.happenings)):
            fewer = turn.happenings[:place] + turn.happenings[place + 1 :]
            yield [*turns[:index], Turn(turn.command, fewer), *turns[index + 1 :]]


def _plainer_configs(config: Config) -> Iterator[Config]:
    for index in range(len(config.guests)):
        yield replace(config, guests=config.guests[:index] + config.guests[index + 1 :])
    for index, table in enumerate(config.guests):
        for key in table.values if len(table.values) > 1 else ():
            plainer = replace(table, values=_without(table.values, key))
            others = config.guests[:index], config.guests[index + 1 :]
            yield replace(config, guests=(*others[0], plainer, *others[1]))
    yield from _fewer_profiles(config)
    for section in ("shutdown", "boot", "order"):
        values = getattr(config, section)
        usual = type(values)()
        for row in fields(values):
            if getattr(values, row.name) != getattr(usual, row.name):
                plainer = replace(values, **{row.name: getattr(usual, row.name)})
                yield replace(config, **{section: plainer})


def _fewer_profiles(config: Config) -> Iterator[Config]:
    for name in config.profiles:
        yield replace(config, profiles=_without(config.profiles, name))
    for index, table in enumerate(config.guests):
        for name in table.profiles:
            plainer = replace(table, profiles=_without(table.profiles, name))
            others = config.guests[:index], config.guests[index + 1 :]
            yield replace(config, guests=(*others[0], plainer, *others[1]))


def _without(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}


def _plainer_guests(guest: GuestSpec) -> Iterator[GuestSpec]:
    usual, plain = GuestSpec(guest.name, guest.uri), Behaviour()
    for row in fields(guest):
        if getattr(guest, row.name) != getattr(usual, row.name):
            yield replace(guest, **{row.name: getattr(usual, row.name)})
    for row in fields(plain):
        if getattr(guest.behaviour, row.name) != getattr(plain, row.name):
            behaviour = replace(guest.behaviour, **{row.name: getattr(plain, row.name)})
            yield replace(guest, behaviour=behaviour)
