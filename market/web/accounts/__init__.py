"""People and organisations: signing in, one's own account and data, members, agents, the record."""
