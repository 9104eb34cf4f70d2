"""What buyers look for."""
