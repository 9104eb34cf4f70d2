"""Answers about a market that is solved: what if, why this pair and not that, what a bonus costs."""
