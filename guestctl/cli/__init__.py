"""The command line: its grammar, its verbs, what they print."""
