"""Contracts: what is agreed, signed, delivered and paid, framework agreements, and cases of breach."""
