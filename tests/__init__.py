"""guestctl's tests; docs/development.md says what is where."""
