"""Real hosts that go down and come back with guestctl on them."""
