"""What was ordered and what became of it: shots, the plan, takes and their lifecycle. Pure. Begin with `lifecycle`."""
