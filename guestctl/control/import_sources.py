"""The files of other programs that are imported: named ones, or those that count on this host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..config import from_host, from_incus, from_proxmox, from_qemu_conf
from ..config.from_host import OfHost
from ..config.from_libvirt_guests import UPSTREAM
from ..config.importing import Imported
from ..host import given_files, shell_settings
from ..host.libvirt import auto_shutdown, conf_file, versions
from ..model.given import Givens, NotUnderstood
from ..model.host_units import RIVAL, HostWords
from .failure import Failure, RequestError
from .host_units import ask

#: Debian's, and that of others; the script has the name of the one that it reads.
DEFAULT, SYSCONFIG = (Path(f"/etc/{it}/libvirt-guests") for it in ("default", "sysconfig"))
SCRIPTS = (Path("/usr/lib/libvirt/libvirt-guests.sh"), Path("/usr/libexec/libvirt-guests.sh"))
_ON = ("enabled", "enabled-runtime", "active", "activating", "reloading")


@dataclass(frozen=True)
class Sources:
    """Files by name; where none is named, those of this host are read as far as they count."""

    libvirt_guests: Path | None = None
    qemu_conf: Path | None = None
    proxmox: tuple[Path, ...] = ()
    incus: Path | None = None

    @property
    def is_this_host(self) -> bool:
        """Whether none is named."""
        return not (self.libvirt_guests or self.qemu_conf or self.proxmox or self.incus)


@dataclass(frozen=True)
class Gathered:
    """files: that were read.  left_out: what was not, and why."""

    imported: Imported
    files: tuple[Path, ...]
    left_out: tuple[str, ...]


def gather(sources: Sources) -> Gathered:
    """What the files say, as settings of ours.  RequestError where nothing can be made of it."""
    reader = _Reader()
    try:
        host = reader.this_host() if sources.is_this_host else reader.named(sources)
        found = from_host.imported(host) + reader.guests(sources)
    except NotUnderstood as error:
        raise RequestError(Failure.WRONG_REQUEST, f"cannot import: {error}") from error
    if found.problems:
        text = "\n".join(f"cannot import: {problem}" for problem in found.problems)
        raise RequestError(Failure.WRONG_REQUEST, text)
    return Gathered(found, tuple(reader.files), tuple(reader.left_out))


class _Reader:
    def __init__(self) -> None:
        self.files: list[Path] = []
        self.left_out: list[str] = []

    def named(self, sources: Sources) -> OfHost:
        """Just these."""
        guests, conf = sources.libvirt_guests, sources.qemu_conf
        return OfHost(
            shell_settings.read(self._text(guests), guests) if guests else None,
            self._defaults(self._script()) if guests else None,
            conf_file.read(self._text(conf), conf) if conf else None,
        )

    def guests(self, sources: Sources) -> Imported:
        """Those of other programs that are named."""
        found = Imported()
        for file in sources.proxmox:
            found += from_proxmox.imported(self._text(file), file)
        if sources.incus:
            found += from_incus.imported(self._text(sources.incus), sources.incus)
        return found

    def this_host(self) -> OfHost:
        """What counts here."""
        of_conf = self._qemu_conf()
        script = self._script()
        file = _settings_file(script)
        if why := _why_off(ask()):
            self.left_out.append(
                f"{why}: its settings are left out; --libvirt-guests {file} takes them"
            )
            return OfHost(qemu_conf=of_conf)
        text = self._text_if_any(file)
        guests = {} if text is None else shell_settings.read(text, file)
        return OfHost(guests, self._defaults(script), of_conf)

    def _qemu_conf(self) -> Givens | None:
        """Without what this version of libvirt does not know, and passes over."""
        text, version = self._text_if_any(auto_shutdown.CONF), versions.client()
        found = None if text is None else conf_file.read(text, auto_shutdown.CONF)
        if not found or not from_qemu_conf.is_on(found) or version >= from_qemu_conf.SINCE:
            return found
        self.left_out.append(
            f"{auto_shutdown.CONF}: auto_shutdown_* is left out, which libvirt"
            f" {'.'.join(map(str, version))} does not know"
        )
        return from_qemu_conf.without_auto_shutdown(found)

    def _script(self) -> tuple[Path, str] | None:
        return next(self._scripts(), None)

    def _scripts(self) -> Iterator[tuple[Path, str]]:
        for file in SCRIPTS:
            text = self._text_if_any(file)
            if text is not None:
                yield file, text

    def _defaults(self, script: tuple[Path, str] | None) -> Givens | None:
        return shell_settings.read_defaults(script[1], script[0], UPSTREAM) if script else None

    def _text_if_any(self, file: Path) -> str | None:
        return self._text(file) if file.exists() else None

    def _text(self, file: Path) -> str:
        try:
            text = given_files.read_text(file)
        except OSError as error:
            failure, hint = Failure.WRONG_REQUEST, ""
            if isinstance(error, PermissionError):
                failure, hint = Failure.NOT_PERMITTED, "; root may, use sudo"
            message = f"cannot import: {file} cannot be read: {error.strerror or error}{hint}"
            raise RequestError(failure, message) from error
        self.files.append(file)
        return text


def _settings_file(script: tuple[Path, str] | None) -> Path:
    """The one that the script reads; without a script the one that there is."""
    is_sysconfig = "sysconfig" in script[1] if script else SYSCONFIG.exists()
    return SYSCONFIG if is_sysconfig else DEFAULT


def _why_off(words: HostWords) -> str:
    """Why libvirt-guests does not act on this host; empty where it does."""
    unit = words.units.get(RIVAL)
    if not unit:
        return f"systemd does not say whether {RIVAL} is on"
    if unit.active in _ON or unit.enabled in _ON:
        return ""
    return f"{RIVAL} is neither active nor enabled"
