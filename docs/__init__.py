"""The pages of the project, and in `made` the parts of them that are made from the code."""
