"""From the options that verbs share to what they mean."""

from __future__ import annotations

from argparse import Namespace

from ..config.config import Config
from ..control import battery, choosing
from ..control.client import Client
from ..control.configured import HOST_STATE, load_config, say_unused
from .exits import complain
from .sources import config_file, connect


def client_of(arguments: Namespace, config: Config | None = None) -> Client:
    """Whoever answers; config: instead of the one that the options name."""
    file, in_place = config_file(arguments), ""
    if config is None:
        loaded = load_config(file, complain, strict=_is_strict(arguments))
        config, in_place = loaded.config, loaded.source
    return choosing.client_of(
        *(config, connect(arguments), complain), in_place=in_place, own_config=file is not None
    )


def _is_strict(arguments: Namespace) -> bool:
    """Whether mistakes in the configuration end the verb.

    Not where it only looks, nor where guests are to be taken to safety: there may be no time.
    """
    acts = arguments.verb == "start" or (arguments.verb == "shutdown" and not arguments.preserve)
    return acts or hasattr(arguments, "strict")


def seconds_of(arguments: Namespace, config: Config) -> float | None:
    """--within: the seconds that a run may take in all; of a UPS those that its battery has."""
    say = (lambda _: None) if getattr(arguments, "quiet", False) else complain
    return battery.seconds_of(arguments.within, config, arguments.profile, complain, say)


def say_unused_of_host(config: Config, arguments: Namespace) -> None:
    """What the service does not use yet, where the configuration is the host's."""
    if not (config_file(arguments) or connect(arguments)):
        say_unused(config, complain)


def complain_of_blindness(client: Client) -> None:
    """A user sees libvirt's side of the host's guests only."""
    if not client.sees_all:
        complain(f"what is wanted of the host's guests, in {HOST_STATE}, only root can read")
