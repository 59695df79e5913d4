"""This machine's guests, through libvirt."""
