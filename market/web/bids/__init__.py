"""Bids as both sides see them: placed, under seal, in the open, answered; and how goods are sold."""
