"""The verb `check`."""

from __future__ import annotations

from argparse import Namespace

from .. import config
from ..config import ConfigError
from .exits import CommandError, Exit


def check_verb(arguments: Namespace) -> int:
    """`check [FILE]`: the host's configuration, or one file alone."""
    file = arguments.file or getattr(arguments, "config", None)
    try:
        config.load(file)
    except ConfigError as error:
        raise CommandError(Exit.WRONG_REQUEST, str(error)) from error
    print(f"{file or 'the configuration'}: no problems found")
    return Exit.OK
