# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Homa cluster: machines of one type on one switch, with this repository's build dependencies.

Instructions:
Wait until the startup service has finished on all nodes. Then, on node0: `make tools module`,
`cperf install /local/cluster.toml --module $(make module-path)`, `cperf doctor --cluster
/local/cluster.toml`, `cperf run cp_vs_tcp --cluster /local/cluster.toml`.
"""

import geni.portal as portal
import geni.rspec.pg as rspec

NETWORK = "10.0.1"
IMAGE = "urn:publicid:IDN+emulab.net+image+emulab-ops//DEBIAN12-64-STD"
PACKAGES = ("gcc make linux-headers-amd64 python3-numpy python3-pandas python3-matplotlib "
            "python3-jinja2 python3-clustershell ethtool iproute2 linux-cpupower")
RATES = {"xl170": "25g", "c6525-25g": "25g", "c6525-100g": "100g", "c6620": "100g"}


def inventory(count: int, kind: str, mtu: int) -> str:
    """The inventory of the experiment, for node0."""
    return (f'backend = "ssh"\nlink = "{RATES.get(kind, "25g")}"\nmtu = {mtu}\n\n[[hosts]]\n'
            f'nodes = "node[0-{count - 1}]"\naddress = "{NETWORK}.[1-{count}]"\nsudo = true\n')


def add_node(request, lan, number: int, params) -> None:
    """One machine: its interface, and what it runs at its first start."""
    node = request.RawPC(f"node{number}")
    node.hardware_type = params.type
    node.disk_image = IMAGE
    interface = node.addInterface("if1")
    interface.addAddress(rspec.IPv4Address(f"{NETWORK}.{number + 1}", "255.255.255.0"))
    lan.addInterface(interface)
    script = f"sudo apt-get update && sudo apt-get install -y {PACKAGES}"
    if number == 0:
        text = inventory(params.n, params.type, params.mtu).replace("\n", "\\n")
        script += f" && printf '{text}' | sudo tee /local/cluster.toml"
    node.addService(rspec.Execute(shell="bash", command=script))


def main() -> None:
    """Describe the experiment."""
    context = portal.Context()
    context.defineParameter("n", "Number of nodes", portal.ParameterType.INTEGER, 4)
    context.defineParameter("type", "Node type", portal.ParameterType.NODETYPE, "xl170")
    context.defineParameter("mtu", "MTU that the inventory states",
                            portal.ParameterType.INTEGER, 3000)
    params = context.bindParameters()
    if not 2 <= params.n <= 200:
        context.reportError(portal.ParameterError("2 to 200 nodes", ["n"]))
    context.verifyParameters()
    request = context.makeRequestRSpec()
    lan = request.LAN("lan")
    # All on one switch, with the links at their full rate: what is measured is the network.
    lan.best_effort = True
    lan.vlan_tagging = True
    lan.link_multiplexing = True
    for number in range(params.n):
        add_node(request, lan, number, params)
    context.printRequestRSpec(request)


if __name__ == "__main__":
    main()
