"""Credits: prices, the cap, the provider's ledger and the cost of takes. Pure. Begin with `budget`."""
