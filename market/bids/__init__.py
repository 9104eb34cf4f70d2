"""Bids of buyers on listings."""
