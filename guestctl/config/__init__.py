"""What may be set, and reading it."""
