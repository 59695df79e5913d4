"""guestctl: takes the guests of a libvirt host to safety, and brings them back."""

__version__ = "0.3.0"
