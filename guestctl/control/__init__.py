"""Being asked: requests and queries, answered in this process or by the service over the bus."""
