"""Seeds that broke a rule once: each is played in every test run."""

FAILED_ONCE = (7310290, 7312433)
