"""Whom to invite and who meets whom."""
