"""`python -m wanbatch` is the same program as `wanbatch`."""

from wanbatch.cli import main

if __name__ == "__main__":
    main()
