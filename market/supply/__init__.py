"""Lots, listings and the stock ledger."""
