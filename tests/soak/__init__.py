"""Random stories of simulated hosts, and what must hold in each."""
