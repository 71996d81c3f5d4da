"""A deterministic simulation of whole batches: one seed is one provider, one disk, one user, and some crashes."""
