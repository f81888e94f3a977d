"""The file that `weighbridge init` writes: the defaults as comments, and the team's own choice live."""

from __future__ import annotations

import re

from serving.settings.load import DEFAULTS_FILE

_HEAD = """\
# Weighbridge's settings. A line like `#port = 8080` shows a default: remove the # to change it.
# `weighbridge check` says what is in force and what is wrong. Unknown keys are errors.
# Secrets never stand here: a key is named by the environment variable that holds it.

"""
_FOOT = """\
# The built-in deployments are listed by `weighbridge check`.
"""
_FIRST_SECTION = "[server]"
_BUILT_IN = "# The built-in deployments stand in catalog.toml."
_LIVE_SECTION = "[policy]"


def template() -> str:
    """Return the commented settings; everything but the policy is switched off by a # at its line's start."""
    text = DEFAULTS_FILE.read_text(encoding="utf-8")
    settings = text[text.index(_FIRST_SECTION) : text.index(_BUILT_IN)]
    lines: list[str] = []
    section = ""
    for line in settings.splitlines():
        section = line if line.startswith("[") else section
        is_setting = re.match(r"[a-z_]+ = ", line) is not None
        lines.append(f"#{line}" if is_setting and section != _LIVE_SECTION else line)
    return _HEAD + "\n".join(lines) + "\n" + _FOOT
