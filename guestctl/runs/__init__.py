"""Carrying plans out: guests are taken down, and brought up."""
