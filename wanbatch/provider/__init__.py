"""The provider: its addresses, its calls and what its answers mean. Begin with `protocol`."""
