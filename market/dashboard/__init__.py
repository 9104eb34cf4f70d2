"""Counts that a town reads: each quantity counted once, and every figure the sum of rows anybody can list."""
