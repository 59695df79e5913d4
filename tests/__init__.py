"""guestctl's tests; docs/dev/development.md says what is where."""
