"""The configuration that the service, and what runs in its place, goes by: never none.

A slip in a file must not leave the guests of a host that goes down to their fate.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..config import effective, files, last_good
from ..config.config import Config
from ..config.files import Stamp
from ..config.last_good import Loaded
from ..control.configured import load_in_time
from ..control.log_fields import URI
from ..host import machine
from ..host.libvirt import aliases
from ..model.report import names
from ..model.uris import DEFAULT, canonical, why_remote

logger = logging.getLogger(__name__)

Stamps = tuple[Stamp, ...]


class Configuration:
    """What is in use, and where it is from: the files as they are, unless they have mistakes.

    loaded: the configuration in use, with what is wrong with the files as they are.
    written: the same as it is written, its connections not looked at.
    read_at: when it was read, in nanoseconds since the epoch.
    Its methods block for as long as the disk does.
    """

    def __init__(self, file: Path | None, connect: str | None) -> None:
        """file: that one alone, instead of the host's.  connect: a URI instead of its URIs."""
        self._file = file
        self._connect = connect
        self._read = self._seen = self._stamps()
        loaded = self._load()
        if loaded.source:
            logger.error(f"{loaded.source} is used until the mistakes are mended")
        self._take(loaded)

    def _take(self, loaded: Loaded) -> None:
        self.read_at, self.written = time.time_ns(), loaded.config
        self.loaded = replace(loaded, config=self._with_local_uris(loaded.config))

    @property
    def file(self) -> Path | None:
        """That one alone, instead of the host's files."""
        return self._file

    @property
    def options(self) -> list[str]:
        """With these a command goes by the same."""
        file = ["--config", str(self._file)] if self._file else []
        return [*file, *(["--connect", self._connect] if self._connect else [])]

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where its files are, and libvirt's."""
        return (*files.folders(self._file), aliases.FILE.parent)

    @property
    def config(self) -> Config:
        """What is in use."""
        return self.loaded.config

    def _load(self) -> Loaded:
        loaded = load_in_time(self._file)
        for problem in loaded.problems:
            logger.error(f"the configuration has a mistake: {problem}")
        for notice in loaded.notices:
            logger.warning(f"the configuration: {notice}")
        return loaded

    def _with_local_uris(self, config: Config) -> Config:
        """With one spelling for each connection, and without those to other hosts."""
        uris: dict[str, None] = {}
        for written in (self._connect,) if self._connect else config.general.uris:
            uri = aliases.resolved(written)
            if written == DEFAULT:
                logger.info(f"the default connection is {uri}, by {aliases.default().why}")
            if reason := why_remote(uri):
                text = f"cannot look after {uri}: {reason}; it is left out"
                logger.error(text, extra={URI: uri})
            else:
                uris[canonical(uri, root=machine.is_root())] = None
        return replace(config, general=replace(config.general, uris=tuple(uris)))

    def reload(self) -> bool:
        """Read the files again; with mistakes they are told, and what is in use goes on.

        Whether they could be used.
        """
        self._read = self._seen = self._stamps()
        loaded = self._load()
        if loaded.problems:
            source = self.loaded.source or "the configuration of before"
            self.loaded = replace(loaded, config=self.config, source=source)
            logger.error(f"{source} is used until the mistakes are mended")
            return False
        before, uris = effective.values(self.written), self.config.general.uris
        self._take(loaded)
        changes = effective.changes(before, effective.values(self.written))
        if not changes and uris != self.config.general.uris:
            changes = [f"uris are {names(self.config.general.uris)}, were {names(uris)}"]
        logger.info(f"the configuration was read anew: {'; '.join(changes) or 'it is the same'}")
        return True

    def refresh(self) -> bool:
        """As a run begins: what was written since is read; whether it is used."""
        read = self._reload_if(lambda now: now != self._read)
        if self.loaded.problems:
            count = len(self.loaded.problems)
            logger.error(f"the run goes by {self.loaded.source}: {count} mistakes in the files")
        return read

    def look(self) -> bool:
        """From time to time: the same, once nothing more is written since the last look."""

        def is_written(now: Stamps) -> bool:
            before, self._seen = self._seen, now
            return now == before and now != self._read

        return self._reload_if(is_written)

    def _reload_if(self, is_due: Callable[[Stamps], bool]) -> bool:
        return is_due(self._stamps()) and self.reload()

    def _stamps(self) -> Stamps:
        """libvirt.conf as well: it says which connection is the default one."""
        return (*files.stamps(self._file), files.stamp(aliases.FILE))

    def keep(self) -> None:
        """Remember the files as good ones, where they are."""
        if self.loaded.problems:
            return
        try:
            last_good.keep(self._file, machine.state_folder())
        except OSError as error:
            logger.warning(f"cannot keep a copy of the configuration: {error}")
