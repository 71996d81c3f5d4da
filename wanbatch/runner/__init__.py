"""One run: submits, polls, downloads, and the search for what was lost. Begin with `loop`."""
