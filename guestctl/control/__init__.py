"""Being asked: requests and queries, answered in this process."""
