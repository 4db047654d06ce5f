# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Boot a distribution's kernel under QEMU on the host's files.

The host's root (or the folder that --root names) is the guest's, read-only, with
an overlay in memory: all programs are there, and nothing that the guest writes
reaches the host but in /run/lab (boot.py) and in folders that --share names. KVM is used only where a
probe boot has shown that it works here.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import boot, cache, fetch, initrd
from .errors import ClusterError

ROOT_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]
NIC_MODELS = {"virtio": ("virtio-net-pci", "virtio_net"), "vmxnet3": ("vmxnet3", "vmxnet3")}
APPEND = "console=ttyS0 panic=-1 oops=panic quiet loglevel=7 mitigations=off nokaslr"
EMULATED = ["-accel", "tcg,thread=multi", "-cpu", "qemu64,-cx16"]
HARDWARE = ["-accel", "kvm", "-cpu", "host"]
# One nanosecond an instruction, and idle time is skipped. The CPU type matters: with
# cmpxchg16b, QEMU 7.2 that counts leaves wrong flags behind now and then; and without rdrand
# the kernel, which has no randomness then, spends instructions that no real machine does.
#
# Where idle time is skipped a guest's time-outs come while it waits for the disk, which takes
# time that its clock does not know: "patient" has it wait as long as it takes.
COUNTING = {name: ["-accel", "tcg,thread=single", "-cpu", "qemu64,-cx16,+rdrand",
                   "-icount", f"shift=0,align=off,sleep={sleep}",
                   "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"]
            for name, sleep in (("icount", "off"), ("patient", "on"))}
PROBE_WORD = "lab: the probe ran"
PROBE_S = 25


@dataclass(frozen=True)
class Stock:
    """A kernel of a distribution."""

    release: str
    image: Path
    root: Path                  # lib/modules/RELEASE is below it
    kdir: Path


def release_of(image: Path) -> str:
    """Return the release that a kernel image says it is."""
    data = image.read_bytes()
    if data[0x202:0x206] != b"HdrS":
        raise ClusterError(f"{image}: not an x86 kernel image", 2)
    start = int.from_bytes(data[0x20e:0x210], "little") + 0x200
    return data[start:start + 200].split()[0].decode()


def installed(version: str) -> list[str]:
    """Return the releases of VERSION whose headers are installed, oldest first."""
    found = [path.parent.name for path in Path("/lib/modules").glob(f"{version}*/build")
             if (path / "include/config/kernel.release").exists()]
    return sorted(found, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def image_in(root: Path, release: str) -> Path:
    """Return where the image of RELEASE is, or would be; Debian's moved in 7.2."""
    moved = root / "lib/modules" / release / "vmlinuz"
    return moved if moved.exists() else root / "boot" / f"vmlinuz-{release}"


def unpacked(release: str) -> Path:
    """Return a folder with the kernel package of RELEASE, fetched when needed."""
    folder = cache.root() / "vm" / release
    with cache.making(folder) as needed:
        if needed:
            unpack_image(release, folder)
    return folder


def unpack_image(release: str, folder: Path) -> None:
    """Unpack a kernel and its modules: one package, or since 7.2 four, without lib/."""
    image = f"linux-image-{release}"
    for package in (image, *fetch.needs(image, r"linux-(?:base|binary|modules)-\S+")):
        fetch.unpack(package, folder)
    if not (folder / "lib").exists():
        (folder / "lib").symlink_to("usr/lib")
    fetch.run("depmod", "-b", folder, release)


def fetched(version: str) -> Stock:
    """Return the newest kernel of VERSION, with its headers, from Debian's packages."""
    if not re.fullmatch(r"\d+\.\d+", version):
        raise ClusterError(f"{version}: neither a version like 6.12 nor the path of a kernel", 2)
    folder = cache.root() / "vm" / version
    with cache.making(folder) as needed:
        if needed:
            unpack_with_headers(version, folder)
    release = next((folder / "lib/modules").iterdir()).name
    return Stock(release, image_in(folder, release), folder,
                 folder / "usr/src" / f"linux-headers-{release}")


def unpack_with_headers(version: str, folder: Path) -> None:
    """Make FOLDER hold a kernel of VERSION and headers that work where they are."""
    name = fetch.newest(rf"linux-headers-{re.escape(version)}\.[0-9+.a-z]*(-[0-9]+)?-amd64")
    parts = fetch.needs(name, r"linux-(?:headers-\S+-common|kbuild-\S+)")
    for package in (name, *parts):
        fetch.unpack(package, folder)
    makefile = folder / "usr/src" / name / "Makefile"
    makefile.write_text(re.sub("(?<=[ =])/usr/", f"{folder}/usr/", makefile.read_text()))
    unpack_image(name.removeprefix("linux-headers-"), folder)


def find(kernel: str) -> Stock:
    """Return the kernel that a version (6.1) or the path of an image names."""
    if "/" in kernel:
        image = Path(kernel).resolve()
        if not image.is_file():
            raise ClusterError(f"{image}: no such file", 2)
        release = release_of(image)
        roots = [folder for folder in (*image.parents[1:5], Path("/"))
                 if (folder / "lib/modules" / release).is_dir()]
        if not roots:
            raise ClusterError(f"no modules of {release} beside {image} or in /lib/modules")
        return Stock(release, image, roots[0], Path("/lib/modules") / release / "build")
    releases = installed(kernel)
    if not releases:
        return fetched(kernel)
    release = releases[-1]
    kdir = Path("/lib/modules") / release / "build"
    root = Path("/")
    if not image_in(root, release).exists() or not (kdir.parent / "modules.dep").exists():
        root = unpacked(release)
    return Stock(release, image_in(root, release), root, kdir)


def accelerator(stock: Stock) -> list[str]:
    """Return QEMU's words for the fastest way that works here."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return EMULATED
    told = cache.root() / f"kvm-{os.uname().release}"
    if not told.exists():
        cache.say("trying whether KVM works here")
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text("works\n" if probe(stock) else "does not work\n")
    return HARDWARE if told.read_text() == "works\n" else EMULATED


def probe(stock: Stock) -> bool:
    """Return whether a kernel gets to user space under KVM."""
    init = f"#!/bin/busybox sh\necho '{PROBE_WORD}'\n/bin/busybox poweroff -f\n"
    with tempfile.NamedTemporaryFile() as file:
        file.write(initrd.build(init, []))
        file.flush()
        words = ["qemu-system-x86_64", *HARDWARE, "-m", "512", "-nographic", "-no-reboot",
                 "-nic", "none", "-kernel", stock.image, "-initrd", file.name,
                 "-append", "console=ttyS0 panic=-1 quiet"]
        try:
            done = subprocess.run([str(word) for word in words], timeout=PROBE_S, check=False,
                                  stdin=subprocess.DEVNULL, capture_output=True)
        except subprocess.TimeoutExpired:
            return False
        return PROBE_WORD.encode() in done.stdout


def nics(count: int, model: str) -> list[str]:
    """Return QEMU's words for COUNT network devices on one hub."""
    words = ["-nic", "none"]
    for number in range(count):
        words += ["-netdev", f"hubport,id=n{number},hubid=0", "-device",
                  f"{NIC_MODELS[model][0]},netdev=n{number},romfile=,"
                  f"mac=52:54:00:00:00:{number + 1:02x}"]
    return words


def command(stock: Stock, path: Path, options: dict) -> list[str]:
    """Return the words that run QEMU for the guest prepared in PATH."""
    cpu = COUNTING[options["clock"]] if options["clock"] else accelerator(stock)
    monitor = f"unix:{options['monitor']},server,nowait" if options["monitor"] else "none"
    words = ["qemu-system-x86_64", *cpu, "-smp", str(options["cpus"]), "-m", options["memory"],
             "-display", "none", "-monitor", monitor, "-no-reboot", "-kernel",
             str(stock.image), "-initrd", str(path / "initrd"), "-append",
             f"{APPEND} {options['append']}".strip(),
             "-virtfs", f"local,path={options['root']},mount_tag=host,security_model=none,"
             "readonly=on,multidevs=remap",
             "-virtfs", f"local,path={path},mount_tag=lab,security_model=none"]
    for number, name in enumerate(("log", "stdout", "stderr")):
        words += ["-chardev", f"file,id=c{number},path={path / name},append=on",
                  "-serial", f"chardev:c{number}"]
    for number, folder in enumerate(options["share"]):
        words += ["-virtfs", f"local,path={folder},mount_tag=share{number},security_model=none,"
                  "multidevs=remap"]
    return words + nics(options["nics"], options["model"])


def run(stock: Stock, job: boot.Job, options: dict) -> int:
    """Boot STOCK, carry out JOB, return its exit code."""
    needed = ROOT_MODULES + ([NIC_MODELS[options["model"]][1]] if options["nics"] else [])
    job.env.update(LAB_NICS=" ".join(f"eth{n}" for n in range(options["nics"])))
    with boot.folder(job, "vm-root") as path:
        elsewhere = stock.root not in (Path("/"), options["root"])
        settings = {"RELEASE": stock.release,
                    "MODULES": stock.root / "lib/modules" if elsewhere else "",
                    "SHARE": " ".join(options["share"])}
        script = "".join(f"{name}={shlex.quote(str(value))}\n"
                         for name, value in settings.items())
        init = (cache.LAB / "vm-init").read_text().replace("@SETTINGS@\n", script)
        (path / "initrd").write_bytes(
            initrd.build(init, initrd.module_files(needed, stock.root, stock.release)))
        return boot.run(job, path, command(stock, path, options), (), {})
