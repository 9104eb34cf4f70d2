"""Sources of the reference data are read in English as well."""

import csv
from pathlib import Path

from market.catalogue.sources import SOURCES

REFERENCE = Path(__file__).parents[3] / "seeds" / "reference"


def test_every_source_with_chinese_words_is_known() -> None:
    named = set()
    for path in REFERENCE.glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            named |= {row["source"] for row in csv.DictReader(file) if row.get("source")}
    assert {each for each in named if any("\u4e00" <= sign <= "\u9fff" for sign in each)} == {
        source.text for source in SOURCES
    }
