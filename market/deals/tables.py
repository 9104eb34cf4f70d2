from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import binary, day, document, flag, moment, number, numbers, reference, text, whole
from market.demand.tables import Demand
from market.supply.tables import Listing


class Deal(Table, tablename="deal"):
    """A binding purchase contract. Its stock is reserved in the transaction that made it."""

    id = number()
    #: 购销合同 number, e.g. TT-20261123-0007.
    number = text(unique=True)
    listing = reference(Listing)
    demand = reference(Demand, null=True)
    seller = reference("Organisation")
    buyer = reference("Organisation")
    #: Grams.
    quantity = whole()
    #: Fen per kg at the farm gate.
    price = whole()
    #: bid, offer, joint, call_off, match or appointment: what it came from ...
    source = text()
    #: ... and its number there. A source makes one deal at most that is not cancelled (``deal_source_once``).
    source_id = whole()
    state = text(index=True)
    deliver_from = day()
    deliver_to = day()
    seller_signed_at = moment(null=True)
    seller_signed_by = reference("Person", null=True, index=False)
    buyer_signed_at = moment(null=True)
    buyer_signed_by = reference("Person", null=True, index=False)
    created_at = moment()
    #: Grams that went back on sale when it was over; below nought: held above the quantity (``above``).
    released = whole(default=0)
    terminated_at = moment(null=True)
    #: By breach, agreement or force majeure (``endings.rules.HOW``).
    ended_how = text(null=True)
    #: When it was cancelled before it bound, and whose side did; None where a talk's result was set right.
    dropped_at = moment(null=True)
    dropped_by = reference("Organisation", null=True, index=False)
    #: Why, and a word to it.
    dropped_for = reference("Reason", null=True, index=False)
    dropped_note = text(default="")
    deal_quantity_positive = Check(quantity > 0, name="deal_quantity_positive")
    deal_price_positive = Check(price > 0, name="deal_price_positive")


class ContractTerms(Table, tablename="contract_terms"):
    """One version of a contract's terms: the first as it stood at signing, others as they were proposed."""

    id = number()
    deal = reference(Deal, part_of=True)
    #: 1, 2, ... within the contract. The highest that is agreed is in force.
    version = whole()
    #: ``clauses.Terms``.
    terms = document()
    state = text()
    #: None for the first version, which nobody proposed.
    proposer = reference("Organisation", null=True)
    #: Why, in the proposer's words.
    note = text(default="")
    #: Why not, in the other's.
    reply = text(default="")
    seller_signed_at = moment(null=True)
    seller_signed_by = reference("Person", null=True)
    buyer_signed_at = moment(null=True)
    buyer_signed_by = reference("Person", null=True)
    created_at = moment()
    #: ... and by a code.
    reason = reference("Reason", null=True)
    contract_terms_once = Unique([deal, version], name="contract_terms_once")


class ContractScan(Table, tablename="contract_scan"):
    """A contract signed on paper, scanned by one side; see ``scans.rules``."""

    id = number()
    deal = reference(Deal)
    #: Whose side uploaded it, and by whom.
    organisation = reference("Organisation")
    person = reference("Person", null=True)
    #: The terms that it was printed from, and the mark on its pages ("" on a filed copy that has none).
    version = whole()
    mark = text(default="")
    state = text()
    #: It is the uploader's signature; else that side had signed before.
    signs = flag(False)
    #: Why the other side does not take it for what was signed: of ``scans.rules.REFUSALS``.
    reason = text(null=True)
    note = text(default="")
    created_at = moment()
    #: When it was presented, and when the other side answered, by whom.
    presented_at = moment(null=True)
    answered_at = moment(null=True)
    answered_by = reference("Person", null=True)


class ContractScanFile(Table, tablename="contract_scan_file"):
    """A page or several of a scan. After its period the content goes, the hashes stay."""

    id = number()
    scan = reference(ContractScan)
    name = text()
    media_type = text()
    content = binary(null=True)
    #: Bytes, and SHA-256, of what is kept; SHA-256 of the file as it was sent.
    size = whole()
    content_hash = text()
    sent_hash = text()


class Delivery(Table, tablename="delivery"):
    id = number()
    deal = reference(Deal)
    #: Grams sent.
    quantity = whole()
    #: Grams that the buyer took.
    accepted = whole(null=True)
    #: Grams lost on the way within the agreed rate: nobody's fault, not paid for, not delivered again.
    loss = whole(default=0)
    #: Fen of what was taken that deposit and advance payments cover.
    credit = whole(default=0)
    state = text()
    reason = reference("Reason", null=True)
    #: The buyer's words at inspection.
    note = text(default="")
    #: When it was meant to leave, and when it did.
    scheduled_on = day()
    dispatched_at = moment(null=True)
    arrived_at = moment(null=True)
    #: From when the buyer has to inspect: it noted the arrival then, or was told of it.
    inspect_from = day(null=True)
    #: When it was reminded of that; when the time was over without a word, and the load counts as taken.
    inspect_reminded = day(null=True)
    passed_at = moment(null=True)
    delivery_quantity_positive = Check(quantity > 0, name="delivery_quantity_positive")


class Arrival(Table, tablename="arrival"):
    """The seller's word that a load came on a day, with the receipt that was signed there. It stands."""

    id = number()
    delivery = reference(Delivery)
    on = day()
    note = text(default="")
    #: Of ``arrivals.rules.ARRIVAL``.
    state = text()
    person = reference("Person", null=True)
    #: After its period the content goes, the hash stays.
    file_name = text(default="")
    media_type = text(default="")
    content = binary(null=True)
    content_hash = text(default="")
    created_at = moment()
    #: When and by whom it was answered or taken back, and why the buyer denies it.
    answered_at = moment(null=True)
    answered_by = reference("Person", null=True)
    answer = text(default="")


class Payment(Table, tablename="payment"):
    id = number()
    deal = reference(Deal)
    #: Fen.
    amount = whole()
    #: Fen paid of it so far.
    paid = whole(default=0)
    #: deposit, advance or goods.
    kind = text(default="goods")
    #: The goods that it is for.
    delivery = reference(Delivery, null=True)
    state = text()
    due_on = day()
    paid_on = day(null=True)
    #: Fen of claims that the payee denies; no part of ``paid``.
    disputed = whole(default=0)
    #: Where it counts from the invoice: days after it, and the latest day whatever comes (``invoices.due``).
    invoice_days = whole(null=True)
    due_latest = day(null=True)
    #: When its payer was last reminded of it (``reminding``).
    reminded_on = day(null=True)


class Invoice(Table, tablename="invoice"):
    """An invoice under a contract, or a red-letter one that takes from it. What it says stands."""

    id = number()
    deal = reference(Deal)
    #: The organisation that issued it, and who recorded it here.
    issuer = reference("Organisation")
    person = reference("Person", null=True)
    #: Of ``invoices.rules.KINDS``.
    kind = text()
    #: "" of an electronic one, whose number is whole by itself.
    code = text(default="")
    number = text()
    issued_on = day()
    #: Fen, tax included; a red one's is below nought. ``tax``: as it stands on the paper.
    amount = whole()
    tax = whole(null=True)
    state = text()
    #: The invoice that a red one takes from.
    reverses = reference("Invoice", null=True)
    #: Why it was sent back, reversed or taken back, and a word to it.
    reason = text(null=True)
    note = text(default="")
    #: The file, if there is one; after its period the content goes, the hash stays.
    file_name = text(default="")
    media_type = text(default="")
    content = binary(null=True)
    content_hash = text(default="")
    created_at = moment()
    #: When its state last moved on, and by whom.
    moved_at = moment(null=True)
    moved_by = reference("Person", null=True)


class InvoiceDelivery(Table, tablename="invoice_delivery"):
    """A load that an invoice is for."""

    id = number()
    invoice = reference(Invoice)
    delivery = reference(Delivery)
    invoice_delivery_once = Unique([invoice, delivery], name="invoice_delivery_once")


class Receipt(Table, tablename="receipt"):
    """One payment of money, whole or in part, as its payer wrote it down. Only the answer moves on."""

    id = number()
    payment = reference(Payment)
    #: Fen.
    amount = whole()
    on = day()
    person = reference("Person", null=True)
    created_at = moment()
    state = text(default="claimed")
    answered_by = reference("Person", null=True)
    answered_at = moment(null=True)
    #: Why it is denied.
    note = text(default="")
    receipt_amount_positive = Check(amount > 0, name="receipt_amount_positive")


class Breach(Table, tablename="breach"):
    """A case of breach of one contract, filed by one of its sides against the other."""

    id = number()
    deal = reference(Deal)
    claimant = reference("Organisation")
    respondent = reference("Organisation")
    #: A code of ``breach_rules.GROUNDS``.
    ground = text()
    #: Grams not delivered or not taken, by the claimant's word.
    quantity = whole(null=True)
    #: Fen asked for.
    claim = whole(null=True)
    statement = text()
    state = text(index=True)
    created_at = moment()
    filed_at = moment(null=True)
    answer_by = day(null=True)
    answer = text(default="")
    answered_at = moment(null=True)
    #: What the town found, and on what grounds.
    decision = text(default="")
    decided_at = moment(null=True)
    decided_by = reference("Person", null=True)
    #: The settlement last offered, and who offered it.
    offer = text(default="")
    offered_by = reference("Organisation", null=True)
    settled_at = moment(null=True)
    #: When the claimant gave notice of termination.
    terminated_at = moment(null=True)
    breach_sides_differ = Check(claimant != respondent, name="breach_sides_differ")


class BreachEvidence(Table, tablename="breach_evidence"):
    """Words or a picture that one side puts to the case. Append-only; a picture goes after its period."""

    id = number()
    breach = reference(Breach)
    organisation = reference("Organisation")
    person = reference("Person", null=True)
    words = text()
    content_hash = text(default="")
    image = binary(null=True)
    created_at = moment()


class ContractEnding(Table, tablename="contract_ending"):
    """A proposal to end a contract by agreement, or a notice of force majeure; see ``endings.rules``."""

    id = number()
    deal = reference(Deal)
    #: agreement or force_majeure.
    kind = text()
    state = text()
    #: Whose side proposed it or gave notice, and who of it.
    proposer = reference("Organisation")
    person = reference("Person", null=True)
    #: Why it is proposed; of a notice what happened (``endings.rules.EVENTS``), and when.
    reason = reference("Reason", null=True)
    event = text(null=True)
    happened_on = day(null=True)
    #: What becomes of what is delivered and paid; of a notice how it keeps from performing.
    words = text()
    #: What becomes of the deposit, where one was paid (``endings.rules.DEPOSITS``).
    deposit = text(null=True)
    created_at = moment()
    #: Why the other side did not agree, and when it answered.
    refused = reference("Reason", null=True)
    refused_note = text(default="")
    answered_at = moment(null=True)
    answered_by = reference("Person", null=True)


class EndingProof(Table, tablename="ending_proof"):
    """Words or a picture for or against a force majeure. Append-only; a picture goes after its period."""

    id = number()
    ending = reference(ContractEnding)
    organisation = reference("Organisation")
    person = reference("Person", null=True)
    words = text()
    content_hash = text(default="")
    image = binary(null=True)
    created_at = moment()


class FulfilmentReply(Table, tablename="fulfilment_reply"):
    """What an organisation says to the facts about its contracts. The newest is shown."""

    id = number()
    organisation = reference("Organisation")
    person = reference("Person", null=True)
    words = text()
    created_at = moment()


class Frame(Table, tablename="frame"):
    """A framework agreement (框架协议). What is called off of it never exceeds what was agreed."""

    id = number()
    #: e.g. KJ-20261129-0007.
    number = text(unique=True)
    seller = reference("Organisation")
    buyer = reference("Organisation")
    produce = reference("Produce")
    min_grade = whole(default=0)
    #: Grams in all.
    total = whole()
    #: Grams of batches that wait for the seller or were confirmed. Changed under the row's lock.
    called = whole(default=0)
    #: Grams of one batch at least.
    least = whole(default=0)
    #: Grams within a week of the agreement, counted from its first day; none: no limit.
    most_per_week = whole(null=True)
    #: Fen per kg at the farm gate.
    price = whole()
    #: Fen per kg below which no batch is sold, where each batch may have a price of its own; else none.
    floor = whole(null=True)
    #: Numbers of the buyer's sites that may be delivered to.
    sites = numbers()
    starts_on = day()
    ends_on = day()
    #: Days between a call and the first day of its delivery, at least.
    notice_days = whole()
    #: ``clauses.Terms`` of every batch.
    terms = document()
    note = text(default="")
    state = text(index=True)
    proposer = reference("Organisation")
    reason = reference("Reason", null=True)
    reason_note = text(default="")
    #: Why the other side did not agree to the last early end that was proposed.
    end_refused = reference("Reason", null=True)
    end_refused_note = text(default="")
    seller_signed_at = moment(null=True)
    seller_signed_by = reference("Person", null=True)
    buyer_signed_at = moment(null=True)
    buyer_signed_by = reference("Person", null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    #: Until when the other side may sign.
    expires_at = moment()
    #: When both were told what is left, shortly before the end.
    warned_at = moment(null=True)
    frame_called_within = Check((called >= 0) & (called <= total), name="frame_called_within")
    frame_price_positive = Check(price > 0, name="frame_price_positive")
    frame_total_positive = Check(total > 0, name="frame_total_positive")
    frame_window = Check(ends_on >= starts_on, name="frame_window")


class CallOff(Table, tablename="call_off"):
    """要货: one batch of a framework agreement. Confirmed, it becomes a contract with its own stock."""

    id = number()
    frame = reference(Frame)
    #: Grams.
    quantity = whole()
    #: Fen per kg at the farm gate.
    price = whole()
    site = reference("Site")
    deliver_from = day()
    deliver_to = day()
    note = text(default="")
    state = text()
    reason = reference("Reason", null=True)
    reason_note = text(default="")
    deal = reference(Deal, null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    #: Until when the seller may confirm.
    expires_at = moment()
    call_off_quantity_positive = Check(quantity > 0, name="call_off_quantity_positive")
    call_off_window = Check(deliver_to >= deliver_from, name="call_off_window")
