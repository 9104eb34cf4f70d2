"""发票: invoices under a contract, as things of their own: recorded, sent back, reversed in red."""
