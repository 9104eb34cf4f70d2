"""Pictures that were put to a case of breach or a force majeure: kept for their period, and no longer."""

from datetime import date

from market.db.session import execute

#: What is written down goes by the contract's end, or by the last that was done about it, if that is later.
_OVER = """deal.state IN ('completed', 'terminated')
  AND greatest(piece.created_at, deal.created_at, deal.terminated_at, {further}
               (SELECT max(paid_on) FROM payment WHERE payment.deal = deal.id)::timestamptz)
      AT TIME ZONE 'Asia/Shanghai' < $1"""
_EVIDENCE = f"""UPDATE breach_evidence piece SET image = NULL FROM breach JOIN deal ON deal.id = breach.deal
  WHERE breach.id = piece.breach AND piece.image IS NOT NULL
    AND breach.state NOT IN ('filed', 'answered', 'lapsed')
    AND {_OVER.format(further="breach.decided_at, breach.settled_at,")}"""  # noqa: S608  our own text
_PROOF = f"""UPDATE ending_proof piece SET image = NULL
  FROM contract_ending ending JOIN deal ON deal.id = ending.deal
  WHERE ending.id = piece.ending AND piece.image IS NOT NULL
    AND NOT EXISTS (SELECT FROM breach WHERE breach.deal = deal.id
                      AND breach.state IN ('filed', 'answered', 'lapsed'))
    AND {_OVER.format(further="")}"""  # noqa: S608  our own text


async def forget_pictures(*, ended_before: date) -> int:
    """Drop the pictures of contracts that were over before; words and hashes stay. Return how many.

    As long as a case waits for its end its pictures are needed.
    """
    told = [await execute(statement, ended_before) for statement in (_EVIDENCE, _PROOF)]
    return sum(int(each.rpartition(" ")[2]) for each in told)
