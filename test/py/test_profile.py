# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""The CloudLab profile, with a geni-lib that only writes down what it is told."""

import runpy
import sys
from types import ModuleType, SimpleNamespace

import pytest

from cperf_job import TOP

from clusterlib import inventory

PROFILE = TOP / "cloudlab" / "profile.py"


class Recorder:
    """Accepts every call and attribute, and keeps them."""

    def __init__(self) -> None:
        self.calls: list = []

    def __getattr__(self, name: str):
        def call(*words, **named):
            made = Recorder()
            self.calls.append((name, words, named, made))
            return made
        return call

    def named(self, name: str) -> list:
        """The calls of one method."""
        return [call for call in self.calls if call[0] == name]


def run(monkeypatch, **params) -> tuple:
    """(context, request, all that addService was told) of a run of the profile."""
    context, request = Recorder(), Recorder()
    context.bindParameters = lambda: SimpleNamespace(**params)
    context.makeRequestRSpec = lambda: request
    portal, rspec, services = ModuleType("geni.portal"), ModuleType("geni.rspec.pg"), []
    portal.Context = lambda: context
    portal.ParameterType = SimpleNamespace(INTEGER=1, NODETYPE=2)
    portal.ParameterError = lambda text, names: (text, names)
    rspec.IPv4Address = lambda address, mask: address
    rspec.Execute = lambda shell, command: services.append(command)
    for name, module in (("geni", ModuleType("geni")), ("geni.portal", portal),
                         ("geni.rspec", ModuleType("geni.rspec")), ("geni.rspec.pg", rspec)):
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["geni"].portal, sys.modules["geni.rspec"].pg = portal, rspec
    runpy.run_path(str(PROFILE), run_name="__main__")
    return context, request, services


def test_nodes_and_their_inventory(monkeypatch) -> None:
    context, request, services = run(monkeypatch, n=3, type="c6620", mtu=3000)
    assert [words for _, words, _, _ in request.named("RawPC")] == [
        ("node0",), ("node1",), ("node2",)]
    lan = request.named("LAN")[0][3]
    assert len(lan.named("addInterface")) == 3 and context.named("printRequestRSpec")
    text = services[0].split("printf '")[1].split("'")[0].replace("\\n", "\n")
    found = inventory.parse(text, "x")
    assert [(h.name, h.address) for h in found.hosts] == [
        ("node0", "10.0.1.1"), ("node1", "10.0.1.2"), ("node2", "10.0.1.3")]
    assert found.network.link == "100g" and "printf" not in services[1]


@pytest.mark.parametrize("count", [1, 201])
def test_impossible_sizes_are_reported(monkeypatch, count: int) -> None:
    assert run(monkeypatch, n=count, type="x", mtu=1500)[0].named("reportError")
