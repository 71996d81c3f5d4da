"""A clip's file: its download, checks in a process of its own, its defects. Begin with `inspection`."""
