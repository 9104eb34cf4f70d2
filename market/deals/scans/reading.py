"""Files of a scanned contract, read together: a page that was chosen twice is one that is missing."""

from collections.abc import Sequence

from market.deals.scans.rules import MOST_FILES
from market.errors import Invalid
from market.i18n import msg
from market.sent_papers import Paper, paper_of


async def read_files(sent: Sequence[tuple[str, bytes]]) -> tuple[Paper, ...]:
    """Return what is kept of (name, content), in their order.

    Raises:
        Invalid: with ``files``: none, too many, or one that is neither a picture nor a PDF.
    """
    try:
        if not 1 <= len(sent) <= MOST_FILES:
            raise Invalid(msg("请选 1 到 {most} 个文件。", most=MOST_FILES))
        files = tuple([await paper_of(name, content) for name, content in sent])
        if len({each.sent_hash for each in files}) < len(files):
            raise Invalid(msg("有两个文件一模一样，请检查是不是选重了、漏了一页。"))
    except Invalid as refused:
        raise Invalid(refused.message, {"files": refused.message}) from None
    return files
