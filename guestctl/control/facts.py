"""The facts that decisions go by, loaded from a file, and what there is to say of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..decisions.host_facts import HostFacts as HostFacts
from ..decisions.host_facts import matches_of_nobody as matches_of_nobody
from ..decisions.host_facts import mistakes_in_metadata as mistakes_in_metadata
from ..decisions.host_facts import mistakes_in_order as mistakes_in_order
from .facts_text import FactsError, from_text
from .requests import Failure, RequestError


def load(file: Path, complain: Callable[[str], None]) -> HostFacts:
    """The facts of a file; what was missing as they were recorded is told.

    RequestError for a file that is not one of facts.
    """
    try:
        facts = from_text(file.read_bytes().decode())
    except FactsError as error:
        place = f"{file}:{error.line}" if error.line else str(file)
        raise _unusable(f"cannot read facts: {place}: {error}") from error
    except OSError as error:
        raise _unusable(f"cannot read facts: {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        text = f"cannot read facts: {file}: is not UTF-8 (byte {error.start})"
        raise _unusable(text) from error
    for lost in facts.lost:
        complain(lost.reason)
    if not facts.sees_all:
        complain(f"{file} has nothing of what is wanted of the guests: no root recorded it")
    return facts


def _unusable(text: str) -> RequestError:
    return RequestError(Failure.WRONG_REQUEST, text)
