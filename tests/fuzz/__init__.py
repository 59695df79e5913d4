"""Input by the thousand that nobody would write, and work that is given up at any moment.

`make check` runs a share, `make test` all that is named here, `make soak` SOAK times as much, with
other dice.
"""
