"""Reports: tables, pages and the contact sheet, from the state file alone. Begin with `files`."""
