"""`python3 -m guestctl`."""

from .cli.main import entry

if __name__ == "__main__":
    entry()
