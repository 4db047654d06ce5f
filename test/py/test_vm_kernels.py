# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Kernels for virtual machines: what Debian's packages hold, before 7.2 and since."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cloudlab"))

from clusterlib import cache, fetch, vm  # noqa: E402

MAKEFILES = {"6.12.1-amd64": "include /usr/src/linux-headers-6.12.1-common/Makefile\n",
             "7.2.1-amd64": "KBUILD_OUTPUT=/usr/src/linux-headers-7.2.1-amd64\n"
                            "include /usr/src/linux-headers-7.2.1-common/Makefile\n"}
# Package: the files that it has beside headers.
PACKAGES = {"linux-image-6.12.1-amd64": ["boot/vmlinuz-6.12.1-amd64",
                                         "lib/modules/6.12.1-amd64/kernel/x.ko"],
            "linux-image-7.2.1-amd64": ["usr/share/doc/x"],
            "linux-binary-7.2.1-amd64": ["usr/lib/modules/7.2.1-amd64/vmlinuz"],
            "linux-modules-7.2.1-amd64": ["usr/lib/modules/7.2.1-amd64/kernel/x.ko"]}


def image_of(release: str) -> bytes:
    """Return as much of a kernel image as tells its release."""
    data = bytearray(0x600)
    data[0x202:0x206] = b"HdrS"
    data[0x20e:0x210] = (0x200).to_bytes(2, "little")
    data[0x400:] = release.encode() + b" "
    return bytes(data)


def unpack(package: str, folder: Path) -> None:
    """Make the files of PACKAGE."""
    release = package.split("-", 2)[2]
    headers = f"usr/src/{package}/Makefile"
    for name in PACKAGES.get(package, [headers]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(MAKEFILES[release].encode() if name == headers
                                    else image_of(release))


@pytest.mark.parametrize("release, image", [
    ("6.12.1-amd64", "boot/vmlinuz-6.12.1-amd64"),
    ("7.2.1-amd64", "lib/modules/7.2.1-amd64/vmlinuz")])
def test_image_modules_and_headers_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             release: str, image: str) -> None:
    """One package or several; the headers' Makefile names files where they are."""
    depmod = []
    monkeypatch.setattr(cache, "root", lambda: tmp_path)
    monkeypatch.setattr(fetch, "newest", lambda pattern: f"linux-headers-{release}")
    monkeypatch.setattr(fetch, "needs", lambda package, pattern: [
        name for name in PACKAGES if release in name and name != package]
        if "image" in package else [])
    monkeypatch.setattr(fetch, "unpack", unpack)
    monkeypatch.setattr(fetch, "run", lambda *words: depmod.append(words))
    stock = vm.fetched(release.rsplit(".", 1)[0])
    assert stock.release == release
    assert stock.image == stock.root / image and stock.image.exists()
    assert (stock.root / "lib/modules" / release / "kernel/x.ko").exists()
    assert depmod == [("depmod", "-b", stock.root, release)]
    named = re.findall("/.*/linux-headers-", (stock.kdir / "Makefile").read_text())
    assert set(named) == {f"{stock.root}/usr/src/linux-headers-"}
    again = vm.find(str(stock.image))
    assert again.release == release
    assert (again.root / "lib/modules" / release / "kernel/x.ko").exists()
