"""Organisations, their people and roles, and who is signed in."""
