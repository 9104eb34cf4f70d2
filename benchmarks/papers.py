"""Papers of docking meetings: how long from a meeting's rows to bound PDFs, and how much memory.

Each meeting is drawn from a seed, with names and signs that a layout stumbles over and a photo for most
batches. "all" is every paper of the meeting in one merged PDF, as the button makes it. The reference of the
same run is one paper at a time, each by a call of its own, as a mail merge would do.

    python -m benchmarks.papers [--companies 60 300] [--limit 60]

Exits with 1 where the merged PDF of the largest meeting took longer than ``--limit`` seconds.
"""

import argparse
import io
import json
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

from pypdf import PdfReader

from fixtures.paper_fairs import paper_fair, photos
from market.documents.binding import bound
from market.documents.contents import drafts_of
from market.documents.papers import KINDS, Numbered

_FOLDER = Path(__file__).parent / "results"
_ORIGIN = "https://tiantou.example"
#: Papers of a kind that the reference sets one by one.
_SAMPLE = 10

Row = dict[str, float | int | str]


def _papers(companies: int) -> tuple[list[Numbered], dict[str, bytes]]:
    fair = paper_fair(buyers=max(1, companies // 5), sellers=companies - max(1, companies // 5))
    drafts = drafts_of(fair)
    numbered = [
        Numbered(draft, f"对接〔2026〕12号-{KINDS[draft.kind].sign}-{n:04d}")
        for n, draft in enumerate(drafts)
    ]
    return numbered, photos(fair.lots)


def _measure(companies: int, kind: str) -> Row:
    """Measure one kind, or ``all``, in this process."""
    papers, pictures = _papers(companies)
    if kind != "all":
        papers = [each for each in papers if each.draft.kind == kind]
    began, worked = perf_counter(), process_time()
    made = bound(papers, title="材料", origin=_ORIGIN, photos=pictures)
    seconds, cpu = perf_counter() - began, process_time() - worked
    row: Row = {
        "companies": companies,
        "kind": kind,
        "papers": len(papers),
        "pages": len(PdfReader(io.BytesIO(made)).pages),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "megabytes": round(len(made) / 2**20, 2),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "ms_a_paper": round(1000 * seconds / len(papers), 1),
    }
    if kind != "all":
        began = perf_counter()
        for each in papers[:_SAMPLE]:
            bound([each], title="材料", origin=_ORIGIN, photos=pictures)
        row["reference_ms_a_paper"] = round(1000 * (perf_counter() - began) / len(papers[:_SAMPLE]), 1)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, nargs="+", default=[60, 300])
    parser.add_argument("--limit", type=float, default=60)
    options = parser.parse_args()
    rows: list[Row] = []
    print(
        f"{'companies':>9}  {'kind':10} {'papers':>6} {'pages':>6} {'seconds':>8} {'CPU':>7} {'MB':>6} "
        f"{'memory':>8} {'ms each':>8} {'one by one':>11}"
    )
    for companies in options.companies:
        for kind in (*KINDS, "all"):
            # a process for each: memory and what Typst keeps are that of this kind alone
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                row = pool.submit(_measure, companies, kind).result()
            rows.append(row)
            print(
                f"{companies:>9}  {kind:10} {row['papers']:>6} {row['pages']:>6} {row['seconds']:>8} "
                f"{row['cpu_seconds']:>7} {row['megabytes']:>6} {row['memory_mb']:>5} MB "
                f"{row['ms_a_paper']:>8} {row.get('reference_ms_a_paper', ''):>11}",
                flush=True,
            )
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / "papers.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0 if float(rows[-1]["seconds"]) <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
