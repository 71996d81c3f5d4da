"""The shape of the code: who may import whom, who owns which library, what is public, what is in the wheel."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import wanbatch

ROOT = Path(wanbatch.__file__).parent
CHECKOUT = ROOT.parent

# From the top of the package to its base. A package may import from the layers below its own, never from above it or
# beside it. The last layer is single files, which may import each other.
LAYERS = (
    ("cli",),
    ("api",),
    ("session",),
    ("runner", "reporting", "cut"),
    ("provider", "manifest", "state"),
    ("money", "sandbox"),
    ("batch", "clip"),
    ("pace",),
    (
        "addresses",
        "clock",
        "disk",
        "errors",
        "folders",
        "interrupts",
        "machine",
        "redaction",
        "resources",
        "text",
        "units",
        "version",
    ),
)
PURE = {
    "addresses", "batch.remedies", "batch.alarms", "batch.attempts", "batch.changes", "batch.choice", "batch.edits", "batch.fallback_words", "batch.forecast", "batch.given_files", "batch.input_fields",
    "batch.inventory", "batch.lifecycle", "batch.models", "batch.names", "batch.origin", "batch.plan", "batch.retakes", "batch.shot_plan",
    "batch.selection", "batch.shots", "batch.spend", "batch.progress", "batch.take", "batch.takeover", "batch.unwritten", "clip.blame", "clip.bounds", "clip.defects",
    "clip.index", "clip.probe", "clip.silence", "clip.black_and_frozen", "cut.avc", "cut.timeline", "errors", "money.baseline", "money.budget", "money.charge", "money.costs",
    "money.credits", "money.currency", "money.defaulted", "money.invoice", "money.invoice_table", "money.ledger", "money.prices", "money.reach", "money.seen_prices", "pace.backoff", "pace.eta", "pace.polling", "pace.limits", "pace.measured",
    "pace.schedule", "pace.steps", "provider.account", "provider.answers", "provider.bodies", "provider.clocks", "provider.endings", "provider.ledger_page",
    "provider.link_expiry", "provider.protocol", "provider.proxies", "provider.remarks", "provider.tariff", "redaction",
    "reporting.own_words", "runner.end_code", "runner.offered_generations", "runner.resubmission", "runner.settings", "session.pilot", "session.folder_questions", "session.reconstruction",
    "session.rebuilt_take", "session.traces", "state.needs", "text", "units",
}  # fmt: skip
OWNERS = {
    "httpx": {"provider.aimlapi", "provider.cliphost", "provider.sandbox_sign", "provider.wire"},
    "tenacity": {"provider.aimlapi"},
    "yaml": {"manifest.yaml_file"},
    "jsonschema": {"manifest.findings"},
    "pandas": {
        "reporting.attempt_orders",
        "reporting.book",
        "reporting.charts",
        "reporting.cost_files",
        "reporting.costs",
        "reporting.csv_text",
        "reporting.csv_tables",
        "reporting.groups",
        "reporting.kinds",
        "reporting.recipe_columns",
        "reporting.prices",
        "reporting.record",
        "reporting.spend",
        "reporting.summary",
        "reporting.variance",
        "reporting.baseline_sums",
        "reporting.workbook",
    },
    "jinja2": {"reporting.page"},
    "markupsafe": {"reporting.page"},
    "sqlite3": {
        "state.connection",
        "state.fallbacks",
        "state.origins",
        "state.run_details",
        "state.given_files",
        "state.file",
        "state.fact_writer",
        "state.record_reader",
        "session.doctor",
        "sandbox.account",
    },
    "filelock": {"session.known_folders", "state.lock"},
    "dotenv": {"provider.endpoint"},
    "starlette": {
        "sandbox.app",
        "sandbox.server",
        "sandbox.state",
        "sandbox.clips",
        "sandbox.books",
        "sandbox.catalogue",
        "sandbox.data_urls",
    },
    "uvicorn": {"sandbox.server"},
    "rich": {
        "cli.screen",
        "cli.chains",
        "cli.why",
        "cli.explanation",
        "cli.account",
        "cli.money",
        "cli.grid",
        "cli.status",
        "cli.reconcile",
        "cli.shots",
        "cli.payment_question",
        "cli.against",
    },
    "platformdirs": {"manifest.cache", "manifest.opened_files", "provider.pricecache", "session.known_folders"},
    "click": {
        "cli",
        "cli.why",
        "cli.init",
        "cli.new_film",
        "cli.models",
        "cli.tables",
        "cli.diff",
        "cli.completion",
        "cli.preview",
        "cli.manifest",
        "cli.confirmations",
        "cli.retry",
        "cli.run",
        "cli.run_flags",
        "cli.status",
        "cli.checks",
        "cli.report",
        "cli.sandbox",
        "cli.parameters",
        "cli.flags",
        "cli.failures",
        "cli.which",
        "cli.screen",
        "cli.reconcile",
        "cli.recovery",
        "cli.cut",
        "cli.extract",
        "cli.streams",
    },
    "av": {
        "clip.check",
        "clip.frames",
        "clip.given_sound",
        "clip.encoding",
        "clip.measuring",
        "cut.tags",
        "cut.source",
        "cut.join",
        "sandbox.slate",
    },
    "PIL": {
        "clip.slate_design",
        "clip.ends",
        "clip.still",
        "clip.frames",
        "cut.slate",
        "clip.letters",
        "sandbox.drift",
        "sandbox.slate",
        "sandbox.data_urls",
        "sandbox.given_pictures",
    },
    "opentimelineio": {"cut.export"},
}
SANDBOX_MAY_USE = {
    "wanbatch.clock",
    "wanbatch.clip.slate_design",
    "wanbatch.clip.check",
    "wanbatch.clip.encoding",
    "wanbatch.clip.letters",
    "wanbatch.errors",
    "wanbatch.resources",
    "wanbatch.sandbox",
}


FILE_LINES, FUNCTION_LINES = 400, 50
# What is longer today, with its lines: it may shrink, and a name that is not here may not come in.
LONG_FILES = {
    "wanbatch/reporting/costs.py": 408,
}
LONG_FUNCTIONS = {"wanbatch/reporting/summary.py: summary_facts": 54}


@cache
def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name not in ("__init__", "__main__"):
            found[name] = path
    return found


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: a relative import"
            names.add(node.module)
    return names


def line_of(name: str) -> int:
    room = name.split(".", maxsplit=1)[0]
    return next(number for number, line in enumerate(LAYERS) if room in line)


@cache
def files_used(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, and "the face" where it imports a public name from the package."""
    found = set[str]()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "wanbatch":
            base = node.module.removeprefix("wanbatch").removeprefix(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".removeprefix(".")
                found.add(full if full in modules() else base or "the face")
    return found


def sources(*folders: str) -> dict[str, Path]:
    return {
        path.relative_to(CHECKOUT).as_posix(): path
        for folder in folders
        for path in sorted((CHECKOUT / folder).rglob("*.py"))
    }


def functions(name: str, path: Path) -> dict[str, int]:
    """Return the lines of each function of a file, methods and inner ones too; of one name the longest."""
    found = dict[str, int]()
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            found[f"{name}: {node.name}"] = max(lines, found.get(f"{name}: {node.name}", 0))
    return found


def test_no_file_is_longer_than_one_reads() -> None:
    lines = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in sources("wanbatch", "tests").items()
    }
    assert {name: count for name, count in lines.items() if count > LONG_FILES.get(name, FILE_LINES)} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    lines = {
        label: count for name, path in sources("wanbatch").items() for label, count in functions(name, path).items()
    }
    assert {label: count for label, count in lines.items() if count > LONG_FUNCTIONS.get(label, FUNCTION_LINES)} == {}
    assert max(lines.values()) > FUNCTION_LINES // 2  # functions are counted at all


@pytest.mark.parametrize("name", modules())
def test_imports_point_downward(name: str) -> None:
    room = name.split(".", maxsplit=1)[0]
    used = files_used(modules()[name])
    assert "the face" not in used
    above = {each for each in used if line_of(each) < line_of(name)}
    is_file = line_of(name) == len(LAYERS) - 1
    beside = {each for each in used if each.split(".")[0] != room and line_of(each) == line_of(name) and not is_file}
    assert (above, beside) == (set(), set())


def test_no_imports_run_in_a_circle() -> None:
    arrows = {name: files_used(path) for name, path in modules().items()}
    assert list(TopologicalSorter(arrows).static_order())


@pytest.mark.parametrize("name", modules())
def test_each_library_has_its_owners(name: str) -> None:
    used = {each.split(".")[0] for each in imports(modules()[name])}
    assert {library for library in used & set(OWNERS) if name not in OWNERS[library]} == set()


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_pure_layer_touches_nothing(name: str) -> None:
    impure = {"os", "pathlib", "socket", "sqlite3", "asyncio", "time", "random", "subprocess", "tempfile", "shutil"}
    used = {each.split(".")[0] for each in imports(modules()[name])}
    source = modules()[name].read_text(encoding="utf-8")
    allowed = {"random"} if name in ("pace.backoff", "pace.schedule") else set()  # a Random is passed in
    assert (used & impure - allowed, "datetime.now(" in source) == (set(), False)


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("sandbox")])
def test_the_sandbox_shares_no_code_with_the_client(name: str) -> None:
    ours = {each for each in imports(modules()[name]) if each.startswith("wanbatch")}
    assert {
        each for each in ours if not any(each == ok or each.startswith(f"{ok}.") for ok in SANDBOX_MAY_USE)
    } == set()


def test_public_names_are_pinned() -> None:
    assert sorted(wanbatch.__all__) == sorted(
        [
            "AccountStopped", "Batch", "BudgetReached", "Event", "ExitCode", "Limits", "LocalFault", "ManifestInvalid",
            "OutputLocked", "Preview", "Problem", "ProviderUnreachable", "Recipe", "Retake", "RunOptions", "RunResult", "Selection", "Shot",
            "StateInvalid", "UsageInvalid", "WanbatchError", "__version__", "circle", "export", "frames",
            "load_manifest", "make_cut", "plan", "report", "retake", "run", "run_async",
        ]
    )  # fmt: skip
    assert all(getattr(wanbatch, name) is not None for name in wanbatch.__all__)


def test_no_module_hides_a_public_name() -> None:
    assert set(modules()) & set(wanbatch.__all__) == set()


def test_no_code_is_named_for_nothing() -> None:
    vague = {"utils", "helpers", "core", "common", "base", "manager"}
    assert {name for name in modules() if name.split(".")[-1] in vague} == set()


@pytest.mark.long
def test_what_tells_only_loads_nothing_heavy() -> None:
    code = (
        "import sys; from wanbatch.cli import call; call(['--help']);"
        f"call(['validate', {str(CHECKOUT / 'manifests' / 'quickstart.yaml')!r}]); call(['status', 'nowhere']);"
        "import wanbatch.cli.sandbox;"
        "heavy = {'pandas', 'httpx', 'av', 'plotly', 'starlette', 'numpy', 'PIL', 'wanbatch.runner.loop'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.long
def test_the_wheel_runs_outside_of_the_checkout(tmp_path: Path) -> None:
    build = (
        "import sys, os; os.chdir(sys.argv[1]);from hatchling.build import build_wheel; print(build_wheel(sys.argv[2]))"
    )
    command = [sys.executable, "-W", "ignore", "-c", build, str(CHECKOUT), str(tmp_path)]
    name = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()[-1]
    home = tmp_path / "installed"
    with zipfile.ZipFile(tmp_path / name) as wheel:
        wheel.extractall(home)
    listed = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    needed = {
        "wanbatch/schemas/manifest.schema.json",
        "wanbatch/schemas/models/alibaba__wan-2-6-t2v.schema.json",
        "wanbatch/manifests/quickstart.yaml",
        "wanbatch/reporting/templates/report.html.j2",
        "wanbatch/reporting/templates/sheet.js",
        "wanbatch/py.typed",
    }
    assert needed <= listed
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import wanbatch; from wanbatch.cli import call;"
        "assert wanbatch.__file__.startswith(sys.argv[1]), wanbatch.__file__;"
        "sys.exit(call(['init', 'here']) or call(['validate', 'here/here.yaml', 'here/here-shots.csv']) or call(['schema']))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code, str(home)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
