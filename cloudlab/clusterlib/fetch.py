# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Kernel sources and distribution kernels, from Debian's packages.

The configured package sources are tried first. Versions that they lack come
from other suites of the same mirror, through a private list that the system's
own apt never sees.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import cache
from .errors import ClusterError

OTHER_SUITES = ("bookworm-backports", "trixie", "trixie-backports", "sid")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def run(*words: object, cwd: Path | None = None) -> str:
    """Run a command and return its output; raise ClusterError when it fails."""
    try:
        done = subprocess.run([str(word) for word in words], cwd=cwd, text=True,
                              check=False, capture_output=True)
    except FileNotFoundError:
        raise ClusterError(f"{words[0]} is not installed: run `make deps`") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise ClusterError(f"{words[0]} {words[1]} failed: {lines[-1]}")
    return done.stdout


def default_source() -> str:
    """Return the version of the sources that this Debian release itself has.

    Asking apt takes a second, so the answer is kept until the next release.
    """
    major = Path("/etc/debian_version").read_text().strip().partition(".")[0]
    told = cache.root() / f"source-of-debian-{major.replace('/', '-')}"
    if told.exists():
        return told.read_text().strip()
    found = re.search(r"^ *Depends: linux-source-(\d+\.\d+)",
                      run("apt-cache", "depends", "linux-source"), re.M)
    if not found:
        raise ClusterError("apt knows no package linux-source: run `apt-get update`")
    told.parent.mkdir(parents=True, exist_ok=True)
    told.write_text(found[1] + "\n")
    return found[1]


def mirror() -> str:
    """Return the address of the configured Debian mirror."""
    lines = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)",
                "Created-By: Packages").splitlines()
    for line in lines:
        uri, _, rest = line.partition(" ")
        if rest == "Debian Debian":
            return uri
    raise ClusterError("no Debian mirror is configured, or `apt-get update` never ran")


def private_options(suite: str) -> list[str]:
    """Return apt options that make SUITE of the mirror the only source."""
    folder = cache.root() / "apt" / suite
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    return ["-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null",
            "-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}",
            "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"]


def offered(package: str, options: list[str]) -> bool:
    """Return whether apt under OPTIONS can download PACKAGE."""
    return "Candidate: (none)" not in (run("apt-cache", *options, "policy", package)
                                       or "Candidate: (none)")


@functools.cache
def updated(suite: str) -> list[str]:
    """Return apt options that make SUITE, as it is now, the only source."""
    options = private_options(suite)
    run("apt-get", *options, "update")
    return options


def sources() -> Iterator[tuple[str, list[str]]]:
    """Yield where to look, the best first: the suite ("" means configured), apt's options."""
    yield "", ["-o", "APT::Sandbox::User=root"]
    for suite in OTHER_SUITES:
        yield suite, updated(suite)


def source_of(package: str) -> tuple[str, list[str]]:
    """Return the first of the sources that offers PACKAGE."""
    for suite, options in sources():
        if offered(package, options):
            return suite, options
    raise ClusterError(f"no suite of Debian's mirror has {package}")


def newest(pattern: str) -> str:
    """Return the newest package, in the first source that has one, with such a name."""
    for _, options in sources():
        lines = run("apt-cache", *options, "search", "--names-only", f"^{pattern}$").splitlines()
        if lines:
            return max((line.split()[0] for line in lines),
                       key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
    raise ClusterError(f"no suite of Debian's mirror has a package {pattern}")


def needs(package: str, pattern: str) -> list[str]:
    """Return what PACKAGE depends on, of the names that PATTERN matches."""
    text = run("apt-cache", *source_of(package)[1], "depends", package)
    return re.findall(rf"^[ |]*Depends: ({pattern})$", text, re.M)


def download(package: str, folder: Path) -> Path:
    """Download PACKAGE into FOLDER and return the file's path."""
    suite, options = source_of(package)
    if suite:
        cache.say(f"{package} comes from Debian's {suite}")
    cache.say(f"downloading {package}")
    run("apt-get", *options, "download", package, cwd=folder)
    return next(folder.glob(f"{package}_*.deb"))


def unpack(package: str, folder: Path) -> None:
    """Download PACKAGE and unpack its files into FOLDER."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        deb = download(package, Path(scratch))
        run("dpkg-deb", "-x", deb, folder)


def source(version: str) -> Path:
    """Return the tree of linux-source-VERSION, fetched when it is not cached."""
    tree = cache.root() / "src" / f"linux-{version}"
    with cache.making(tree) as needed:
        if needed:
            with tempfile.TemporaryDirectory(dir=tree.parent) as name:
                scratch = Path(name)
                unpack(f"linux-source-{version}", scratch)
                cache.say(f"unpacking linux-source-{version}")
                run("tar", "-xf", next(scratch.glob("usr/src/linux-source-*.tar.*")),
                    "--strip-components=1", "-C", tree)
    return tree
