"""What was ordered and its state: shots, the plan, takes and their lifecycle. Pure. Begin with `lifecycle`."""
