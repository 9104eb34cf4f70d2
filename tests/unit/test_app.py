"""What the start of a serving process leaves behind."""

import gc

from market.app import stay


def test_what_the_start_has_built_is_looked_at_by_no_collection() -> None:
    kept = [[] for _ in range(1_000)]  # type: ignore[var-annotated]
    gc.unfreeze()
    try:
        stay()
        assert gc.get_freeze_count() > len(kept)
        assert not any(each is kept for each in gc.get_objects())
    finally:
        gc.unfreeze()
        # as the tests have it: see tests/conftest.py
        gc.freeze()
