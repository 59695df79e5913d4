"""A simulated host: virtual time, guests that behave and misbehave, and a world around them."""
