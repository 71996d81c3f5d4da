"""Credits: prices, the cap, the provider's ledger and what takes cost. Pure. Begin with `budget`."""
