"""When to send, ask and give up: schedule, limits of rate, how long clips take. Pure. Begin with `schedule`."""
