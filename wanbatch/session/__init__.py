"""One command from plan to report, and the user's decisions about a batch. Begin with `session`."""
