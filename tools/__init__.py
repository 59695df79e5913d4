"""Maintainers' tools: they write files of this repository, and are not installed."""
