"""The daemon, and what its units do in its place."""
