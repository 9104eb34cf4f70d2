"""Contracts that end without a breach: by the consent of both sides, or by force majeure."""
