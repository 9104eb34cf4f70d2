"""What organisations may do: verification, capabilities, members, limits, acting for others."""
