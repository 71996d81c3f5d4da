"""The embedded sandbox: the provider's stand-in as a child process that ends with us.

Its account lives in the output folder, so that a killed run finds its generations again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

from wanbatch.batch.plan import Due
from wanbatch.batch.registry import added_models
from wanbatch.disk import own_folder, replace_text, unshare
from wanbatch.errors import LocalFault
from wanbatch.resources import MODEL_ENDING, SHOTS_NAME
from wanbatch.state.lock import holder_of

START_LIMIT_S = 60.0
END_LIMIT_S = 10.0
FOLDER = ".sandbox"
MODELS = "models"


def copy_account(output: Path, folder: Path) -> bool:
    """Give a sandbox that only tells (it serves `folder`) the account of an output folder, if there is one.

    The folder's own stays as it is. Returns False, and copies nothing, while a run uses it: a copy of a file that is
    being written could tell anything.
    """
    kept = output / FOLDER
    if kept.is_symlink() or not kept.is_dir():
        return True
    if holder_of(output):
        return False
    data = own_folder(folder, FOLDER)
    for each in kept.iterdir():
        if each.is_file() and not each.is_symlink():
            shutil.copyfile(each, data / each.name)
    return True


@contextmanager
def embedded_sandbox(output: Path, speed: float, extra: tuple[str, ...] = ()) -> Iterator[str]:
    """Serve a sandbox for the output folder; yields its base URL. Raises LocalFault if it does not start."""
    data = own_folder(output, FOLDER)
    served = served_models(output)
    for each in filter(Path.is_file, data.glob("*")):
        unshare(each)  # of a copy made with hard links: each has an account of its own from here on
    command = [sys.executable, "-m", "wanbatch", "--json", "sandbox", "--data", str(data)]
    child = subprocess.Popen(  # noqa: S603  our own program, arguments as a list
        [*command, "--speed", str(speed), "--stop-with-parent", *served, *extra],
        stdin=subprocess.PIPE,  # its end, however we end, tells the child to stop
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the run, which still needs the provider while it drains
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield _base_url(child)
    finally:
        child.stdin.close()
        try:
            child.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def name_takes(output: Path, takes: Iterable[Due]) -> None:
    """Tell the sandbox of an output folder the scene, shot and number of takes that will be sent, for their slates.

    Those named before stay: their clips may still be fetched.
    """
    path = own_folder(output, FOLDER) / SHOTS_NAME
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    named = before if isinstance(before, dict) else {}
    named |= {str(each.take_id): [each.scene, each.shot_id, each.number] for each in takes}
    replace_text(path, json.dumps(named, ensure_ascii=False))


def served_models(output: Path) -> list[str]:
    """Give the sandbox the schemas of models that a project added; returns its arguments for them."""
    models = added_models()
    if not models:
        return []
    folder = own_folder(output, FOLDER, MODELS)
    for model in models:
        name = f"{model.name.replace('/', '__')}{MODEL_ENDING}"
        replace_text(folder / name, json.dumps(model.schema, ensure_ascii=False, indent=2) + "\n")
    return ["--models", str(folder)]


def _base_url(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    alarm = Timer(START_LIMIT_S, child.kill)
    alarm.start()
    try:
        line = child.stdout.readline()
        return str(json.loads(line)["base_url"])
    except (ValueError, KeyError, TypeError) as error:
        raise LocalFault("the embedded sandbox did not start; `wanbatch sandbox` shows why") from error
    finally:
        alarm.cancel()
