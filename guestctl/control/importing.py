"""What other programs' files say, written into a file of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..config import files, reading
from ..config.drop_in import NAME, DropIn, drop_in
from ..host import own_files
from .failure import Failure, RequestError
from .import_sources import Gathered, Sources, gather


@dataclass(frozen=True)
class Prepared:
    """What is to be written, and where; left_out: what was not imported, and why."""

    target: Path
    drop_in: DropIn
    left_out: tuple[str, ...]
    is_there: bool

    @property
    def is_written(self) -> bool:
        """Whether the file is there as it is to be."""
        return self.is_there and _is(self.target, self.drop_in.text)


def prepare(sources: Sources) -> Prepared:
    """The file, checked as any of the configuration.  RequestError where there can be none."""
    found, target = gather(sources), files.DROP_INS / NAME
    made = _drop_in(found, target)
    if problems := reading.read_text(made.text, target).problems:
        text = "\n".join(f"cannot import: {problem}" for problem in problems)
        raise RequestError(Failure.WRONG_REQUEST, text)
    return Prepared(target, made, found.left_out, target.is_symlink() or target.exists())


def _drop_in(found: Gathered, target: Path) -> DropIn:
    others = [file for file in _host_files() if file != target and file.exists()]
    before = [file for file in others if file == files.MAIN_FILE or file.name < target.name]
    after = [file for file in others if file not in before]
    parts = (reading.read_files(before), reading.read_files(after))
    return drop_in(found.imported, *parts, found.files)


def _host_files() -> list[Path]:
    try:
        return files.host_files()
    except OSError as error:
        message = f"cannot import: {files.DROP_INS} cannot be read: {error.strerror or error}"
        raise RequestError(Failure.NOT_PERMITTED, message) from error


def write(prepared: Prepared, *, force: bool) -> None:
    """Have it in the folder of drop-ins.  RequestError where it is not."""
    target = prepared.target
    if prepared.is_there and not (force or prepared.is_written):
        message = f"cannot import: there is {target} already; --force replaces it, --dry-run shows"
        raise RequestError(Failure.WRONG_REQUEST, f"{message} what by")
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        own_files.replace(target, prepared.drop_in.text, 0o644, synced=True)
    except PermissionError as error:
        message = f"cannot write {target}: only root may; --dry-run shows what would be written"
        raise RequestError(Failure.NOT_PERMITTED, message) from error
    except OSError as error:
        message = f"cannot write {target}: {error.strerror or error}"
        raise RequestError(Failure.NOT_ALL_WELL, message) from error


def _is(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() == text.encode() and not file.is_symlink()
    except OSError:
        return False
