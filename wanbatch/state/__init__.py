"""The state file of an output folder: one writer, many readers, and how a batch stands. Begin with `file`."""
