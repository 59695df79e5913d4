"""This machine: systemd, logind, files, locks, threads."""
