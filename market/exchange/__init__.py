"""What leaves the market as files that other programs read."""
