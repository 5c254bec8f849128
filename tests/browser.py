"""Pages in a real browser, without a window: what a visitor's deeds bring about."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.doors import HANG_S

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    "--disable-background-networking",
)


def browser() -> str:
    """The program; without one the test is skipped, in CI it fails."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        message = f"no browser to look at the page with (one of {', '.join(BROWSERS)})"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return str(found)


def downloaded(program: str, page: Path, name: str, *more: str) -> Any:
    """Open a page whose scripts make the browser download a file; returns its JSON."""
    # A folder of its own, so that one page can be looked at again with other flags.
    folder = page.parent / f"seen{len(list(page.parent.iterdir()))}"
    downloads, profile = folder / "downloads", folder / "profile"
    (profile / "Default").mkdir(parents=True)
    settings = {"default_directory": str(downloads), "prompt_for_download": False}
    (profile / "Default" / "Preferences").write_text(json.dumps({"download": settings}))
    flags = [*FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", *more]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen([program, *flags, page.as_uri()], **quiet)
    try:
        hung = time.monotonic() + HANG_S
        while not (downloads / name).is_file() and time.monotonic() < hung:
            time.sleep(0.1)
    finally:
        started.terminate()
        started.wait(HANG_S)
    return json.loads((downloads / name).read_text())
