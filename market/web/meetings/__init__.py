"""Docking meetings: for the official who runs one, for those who are invited, for the door and the hall."""
