"""What comes of a talk: both sides' words, corrections, and the contracts and samples that follow from it."""
