"""Deals and what becomes of them: contract, deliveries, payments."""
