"""The parts of the pages that are made from the code, the schemas and a batch on the sandbox: none can be stale.

A page names a part with a line such as `<!-- made: commands -->`; `parts.py` lists them, and `hook.py` puts them in
when `make docs` builds the site.
"""
