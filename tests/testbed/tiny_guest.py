"""A Linux guest so small that a dozen of them run without KVM.

Debian's cloud kernel, busybox, and an init script that ticks on the serial port and reacts to the
power button as its kernel command line says (see `guest_init`).  Nothing is installed for it.
"""

from __future__ import annotations

import lzma
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import newc
from .cache import BuildError, built, recipe_key
from .packages import dependency, libraries, output, unpack

HERE = Path(__file__).parent
KERNEL = "linux-image-cloud-amd64"
# What they depend on is added; what a kernel has built in is left out.
MODULES = ["button", "evdev", "pvpanic-mmio"]
VIRTIO = ["virtio_pci", "virtio_console", "virtio_net", "af_packet"]
TEXTS = {
    # acpid's own tables: the event's type, code and value, and the script of its name.
    "etc/acpi.map": "EV_KEY 0x01 KEY_POWER 116 1 power\n",
    "etc/acpi.conf": "power power\n",
}
SCRIPTS = {
    "init": "guest_init",
    "etc/acpi/power": "guest_press",
    "bin/leave": "guest_leave",
    "bin/card": "guest_card",
    "etc/lease": "guest_lease",
}


@dataclass(frozen=True)
class GuestImage:
    """What QEMU boots: `virtio_initrd` has the guest agent too, its drivers and those of a card."""

    kernel: Path
    initrd: Path
    virtio_initrd: Path

    @classmethod
    def in_folder(cls, folder: Path) -> GuestImage:
        """The image whose files lie in that folder under their usual names."""
        return cls(folder / "vmlinuz", folder / "initrd", folder / "virtio-initrd")


def tiny_guest() -> GuestImage:
    """The guest's files, built on first use (a few seconds)."""
    return GuestImage.in_folder(built("tiny-guest", _recipe(), _build))


def _recipe() -> str:
    sources = ("tiny_guest.py", "newc.py", *SCRIPTS.values())
    return recipe_key(*((HERE / name).read_bytes() for name in sources))


def _build(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gc-build-") as name:
        root = Path(name)
        kernel = dependency(KERNEL, r"linux-image-\d\S*-cloud-amd64")
        unpack([kernel, "busybox-static", "qemu-guest-agent"], root)
        folder.mkdir()
        image = GuestImage.in_folder(folder)
        image.kernel.write_bytes(_only(root, "boot/vmlinuz-*").read_bytes())
        _write_initrd(image.initrd, _base(root) | _modules(root, MODULES))
        extra = _agent(root) | _modules(root, MODULES + VIRTIO)
        _write_initrd(image.virtio_initrd, _base(root) | extra)
    for path in folder.iterdir():
        path.chmod(0o644)
    folder.chmod(0o755)


def _write_initrd(path: Path, entries: dict[str, newc.Entry]) -> None:
    # Not compressed: an emulated processor takes longer to unpack it than QEMU to load it.
    with path.open("wb") as file:
        newc.write(file, entries)


def _base(root: Path) -> dict[str, newc.Entry]:
    folders = {name: newc.folder() for name in ("proc", "sys", "dev", "tmp", "lib/modules")}
    scripts = {path: _script(name) for path, name in SCRIPTS.items()}
    texts = {path: newc.file(text.encode()) for path, text in TEXTS.items()}
    busybox = _only(root, "*bin/busybox", "usr/bin/busybox").read_bytes()
    return folders | scripts | texts | {"bin/busybox": newc.file(busybox, 0o755)}


def _script(name: str) -> newc.Entry:
    return newc.file((HERE / name).read_bytes(), 0o755)


def _modules(root: Path, names: list[str]) -> dict[str, newc.Entry]:
    tree = _only(root, "lib/modules/*", "usr/lib/modules/*")
    found: dict[str, bytes] = {}
    for name in names:
        _add_module(tree, name, found)
    files = {f"lib/modules/{name}.ko": newc.file(data) for name, data in found.items()}
    return files | {"etc/modules": newc.file("\n".join(found).encode())}


def _add_module(tree: Path, name: str, found: dict[str, bytes]) -> None:
    """Add the module after those it depends on: insmod does not look for them itself."""
    if name in found or _is_builtin(tree, name):
        return
    data = _module(tree, name)
    depends = re.search(rb"\0depends=([^\0]*)\0", data)
    for needed in depends[1].decode().split(",") if depends else []:
        if needed:
            _add_module(tree, needed, found)
    found[name] = data


def _is_builtin(tree: Path, name: str) -> bool:
    return f"/{name}.ko\n" in (tree / "modules.builtin").read_text()


def _module(tree: Path, name: str) -> bytes:
    path = _only(tree, f"kernel/**/{name}.ko", f"kernel/**/{name}.ko.*")
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        plain = path.with_suffix("")
        output("zstd", "-q", "-f", "-d", path, "-o", plain)
        return plain.read_bytes()
    return path.read_bytes()


def _agent(root: Path) -> dict[str, newc.Entry]:
    program = _only(root, "usr/sbin/qemu-ga", "usr/bin/qemu-ga")
    entries = {"bin/qemu-ga": newc.file(program.read_bytes(), 0o755)}
    for path in libraries(program):
        entries[str(path).lstrip("/")] = newc.file(path.read_bytes(), 0o755)
    # What the agent calls for guest-shutdown; the name is fixed in it.
    return entries | {"sbin/shutdown": newc.link("/bin/leave"), "var/run": newc.link("/tmp")}


def _only(root: Path, *patterns: str) -> Path:
    found = [path for pattern in patterns for path in root.glob(pattern)]
    if len(found) != 1:
        raise BuildError(f"{len(found)} of {' or '.join(patterns)} in {root}, one was expected")
    return found[0]


def main() -> None:
    """Print the paths of the guest's files."""
    image = tiny_guest()
    sys.stdout.write(f"{image.kernel}\n{image.initrd}\n{image.virtio_initrd}\n")


if __name__ == "__main__":
    main()
