# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A git folder of ours over somebody's checkout: its objects, references and index, and a configuration of ours.

The configuration of a checkout names programs that git runs even where it only reads (filters, monitors, helpers that
fetch), in more settings than anybody lists, and each version brings new ones. So git never sees it: what is needed to read
the checkout as its owner means it is allowed here by name, and everything else is not there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

# How names and contents of files are compared, what is ignored, and the format of the repository. The two paths are of
# files with patterns.
_NEEDED = {
    "core.autocrlf": "true|false|input",
    "core.checkstat": "default|minimal",
    "core.eol": "lf|crlf|native",
    "core.filemode": "true|false",
    "core.ignorecase": "true|false",
    "core.precomposeunicode": "true|false",
    "core.sparsecheckout": "true|false",
    "core.sparsecheckoutcone": "true|false",
    "core.symlinks": "true|false",
    "core.trustctime": "true|false",
    "extensions.objectformat": "sha1|sha256",
    "extensions.refstorage": "files|reftable",
}
_FILES = {"core.attributesfile": "attributes", "core.excludesfile": "ignore"}
SETTINGS = f"^({'|'.join(re.escape(name) for name in (*_NEEDED, *_FILES))})$"
# Where git itself writes true in another way.
_WORDS = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false", "": "false"}

# What is one of several work trees' own, and what they share.
_OWN = ("index", "logs/HEAD")
_SHARED = ("objects", "refs", "packed-refs", "reftable", "logs/refs", "shallow")
_PATTERNS = ("info/exclude", "info/attributes", "info/sparse-checkout")


class OwnView:
    """The folder, until it is closed.

    Args:
        folder: the git folder of the work tree.
        path: the top of the work tree.
        settings: of :func:`settings_of`.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder, path, settings):
        import tempfile

        self._made = tempfile.TemporaryDirectory(prefix="oncall-git-")
        self._settings = settings
        name = self._made.name
        try:
            _fill(Path(name), Path(folder))
            self.refresh(folder)
            self.configure([])
        except BaseException:
            self._made.cleanup()
            raise
        self.options = (f"--git-dir={name}", f"--work-tree={path}", "-C", path)
        # Versions of git that do not know of GIT_CONFIG_GLOBAL look at home.
        self.environment = {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "HOME": name,
            "XDG_CONFIG_HOME": name,
        }

    def refresh(self, folder):
        """Take over where HEAD is."""
        head, ours = Path(folder, "HEAD"), Path(self._made.name, "HEAD")
        if head.is_symlink():
            content = f"ref: {os.readlink(str(head))}\n".encode(errors="surrogateescape")
        else:
            with head.open("rb") as file:
                content = file.read(4096)
        # A copy, because git takes a link to a file for no HEAD.
        ours.write_bytes(content)

    def configure(self, more):
        """Have git know these settings as well."""
        Path(self._made.name, "config").write_text(configuration([*self._settings, *more]), encoding="utf-8")

    def close(self):
        """Remove it."""
        self._made.cleanup()


def settings_of(found):
    """The settings that a checkout is read with. Pure, but for a look at which files of patterns are there.

    Args:
        found: pairs of a name and a value that git found for :data:`SETTINGS`, the last of a name counts.

    Returns:
        Pairs of a name and a value.
    """
    given = {name.lower(): value for name, value in found}
    kept = [("core.bare", "false"), ("core.logallrefupdates", "false")]
    for name, allowed in _NEEDED.items():
        value = given.get(name, "").lower()
        value = _WORDS.get(value, value) if name in given else ""
        if re.fullmatch(allowed, value):
            kept.append((name, value))
    version = "1" if any(name.startswith("extensions.") for name, _value in kept) else "0"
    # As git does without a setting; it would look where our own home is.
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    for name, usual in _FILES.items():
        file = str(Path(given.get(name) or f"{home}/git/{usual}").expanduser())
        # Of anything else, such as a device, there may be no end.
        if Path(file).is_absolute() and Path(file).is_file():
            kept.append((name, file))
    return [("core.repositoryformatversion", version), *kept]


def tracking_of(branch):
    """The pattern of the names of the settings that say which branch another one follows. Pure."""
    named = "".join(one if one.isalnum() or one in "/_-" else f"[{one}]" for one in branch)
    return f"^(branch[.]{named}[.](remote|merge)|remote[.].+[.]fetch)$"


def configuration(settings):
    """Settings as the text of a file of git. Pure.

    Args:
        settings: pairs of a name and a value, which can be any texts that git printed.
    """
    lines = []
    for name, value in settings:
        section, _dot, rest = name.partition(".")
        middle, _dot, key = rest.rpartition(".")
        heading = f'[{section} "{_escaped(middle)}"]' if middle else f"[{section}]"
        lines += [heading, f'\t{key} = "{_escaped(value)}"']
    return "".join(f"{line}\n" for line in lines)


def _escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _fill(made, folder):
    shared = _shared_by(folder)
    (made / "logs").mkdir()
    (made / "info").mkdir()
    for source, names in ((folder, _OWN), (shared, _SHARED)):
        for name in (*names, *(one.name for one in source.glob("sharedindex.*"))):
            if os.path.lexists(source / name) and not os.path.lexists(made / name):
                (made / name).symlink_to((source / name).absolute())
    for name in _PATTERNS:
        source = folder if name.endswith("sparse-checkout") else shared
        # Of anything else, such as a device, there may be no end.
        if (source / name).is_file():
            (made / name).symlink_to((source / name).absolute())


def _shared_by(folder):
    """The folder that several work trees share; the same where there is one."""
    named = folder / "commondir"
    if not named.is_file():
        return folder
    with named.open(encoding="utf-8", errors="surrogateescape") as file:
        return folder / file.read(4096).rstrip("\n")
