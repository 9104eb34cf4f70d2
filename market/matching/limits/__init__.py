"""Allocations that keep smallest orders and most lots, and a bound of all of them."""
