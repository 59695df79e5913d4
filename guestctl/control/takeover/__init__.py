"""Takeover and handback: steps, what is known of them on the disk, and who goes through them."""
