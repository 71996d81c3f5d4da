"""The parts by name, and putting them into a page."""

from __future__ import annotations

import re
from collections.abc import Callable

from docs.made import codes, columns, commands, documents, faults, manifest, names, settings, states
from docs.made.sample import Sample
from docs.made.table import PartIncomplete

PARTS: dict[str, Callable[[], str]] = {
    "commands": commands.commands,
    "exit codes": codes.exit_codes,
    "limits": settings.limits,
    "variables": settings.variables,
    "run options": settings.run_options,
    "top fields": manifest.top_fields,
    "cast fields": manifest.cast_fields,
    "shot fields": manifest.shot_fields,
    "group fields": manifest.group_fields,
    "models": manifest.models,
    "frame sizes": manifest.frame_sizes,
    "documented prices": manifest.prices,
    "fault plans": faults.fault_plans,
    "fault rules": faults.fault_rules,
    "states": states.states,
    "moves": states.moves,
    "notes": states.notes,
    "usual way": states.usual_way,
    "functions": names.functions,
    "classes": names.classes,
}
PARTS_OF_A_BATCH: dict[str, Callable[[Sample], str]] = {
    "columns": columns.columns,
    "documents": documents.documents,
    "error document": documents.error_document,
    "summary.json": documents.summary_file,
    "costs.json": documents.costs_file,
    "sidecar": documents.sidecar_file,
}
MARK = re.compile(r"^<!-- made: (?P<name>[a-z. ]+) -->$", re.MULTILINE)


def filled(page: str, sample: Callable[[], Sample]) -> str:
    """Put the parts that a page names in their places. `sample` is asked for only where a part needs it."""

    def made(mark: re.Match[str]) -> str:
        name = mark["name"]
        if name in PARTS_OF_A_BATCH:
            return PARTS_OF_A_BATCH[name](sample())
        if name not in PARTS:
            raise PartIncomplete(f"there is no part '{name}': name one of {', '.join([*PARTS, *PARTS_OF_A_BATCH])}")
        return PARTS[name]()

    return MARK.sub(made, page)
