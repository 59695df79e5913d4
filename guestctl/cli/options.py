"""From the options that verbs share to what they mean."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from ..config.config import Config
from ..control.configured import load_config, say_unused
from ..control.local import Local, open_local
from .exits import complain


def config_file(arguments: Namespace) -> Path | None:
    """--config."""
    file: Path | None = getattr(arguments, "config", None)
    return file


def connect(arguments: Namespace) -> str | None:
    """--connect."""
    uri: str | None = getattr(arguments, "connect", None)
    return uri


def local_of(arguments: Namespace, config: Config | None = None) -> Local:
    """guestctl in this process; config: instead of the one that the options name."""
    if config is not None:
        return open_local(config, connect(arguments), complain)
    loaded = load_config(config_file(arguments), complain, strict=_is_strict(arguments))
    local = open_local(loaded.config, connect(arguments), complain)
    return replace(local, makeshift=bool(loaded.problems))


def _is_strict(arguments: Namespace) -> bool:
    """Whether mistakes in the configuration end the verb.

    Not where it only looks, nor where guests are to be taken to safety: there may be no time.
    """
    acts = arguments.verb == "start" or (arguments.verb == "shutdown" and not arguments.preserve)
    return acts or hasattr(arguments, "strict")


def say_unused_of_host(config: Config, arguments: Namespace) -> None:
    """What the service does not use yet, where the configuration is the host's."""
    if not (config_file(arguments) or connect(arguments)):
        say_unused(config, complain)


def complain_of_blindness(local: Local) -> None:
    """A user sees libvirt's side of the host's guests only."""
    if not local.sees_all:
        folder = local.host_state
        complain(f"what is wanted of the host's guests, in {folder}, only root can read")
