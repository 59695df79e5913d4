"""This machine: systemd, logind, files, locks, and through libvirt its guests."""
