"""The words of guestctl as values, and the ports: what is needed of the world, as Protocols."""
