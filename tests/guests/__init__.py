"""The command on real QEMU guests."""
