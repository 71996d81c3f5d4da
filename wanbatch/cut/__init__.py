"""The film: chosen clips joined, and the lists that editing programs read. Begin with `film`."""
