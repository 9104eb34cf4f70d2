"""An append-only record of who did what, a hash chain for each subject."""
