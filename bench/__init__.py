"""How fast guestctl is, as ratios within one run: `make bench`."""
