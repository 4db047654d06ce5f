#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: a distribution's kernel with two CPUs: 20,000 RPCs over veth and over virtio
# lab: --cpus 2 --nics 2
# timeout: 600
#
# 8 threads a side. virtio on a hub has no scatter-gather, so that every packet
# is linearised on its way out. Numbers as arguments: RPCs of each thread over
# veth, over virtio.
. "$(dirname "$0")/lib.sh"

veth_count=${1:-2500}
virtio_count=${2:-2500}

check "module is loaded" test -d /sys/module/homa
ip link add veth0 type veth peer name veth1
host v1 veth0 1 1
host v2 veth1 2 1
check "20 large RPCs over veth" "$STORM" --client v1 --server v2 --to 10.7.1.2 --count 20
check "8 x $veth_count RPCs over veth" "$STORM" --client v1 --server v2 --to 10.7.1.2 \
	--count "$veth_count" --threads 8 --ports 2 --max 3000 --outstanding 4
check "8 x 100 RPCs over veth, IPv6" "$STORM" --client v2 --server v1 --to fd07:1::1 \
	--count 100 --threads 8 --ports 2 --max 30000 --outstanding 4

host n1 eth0 1 2
host n2 eth1 2 2
check_scatter_gather n1 eth0 off
meet n1 10.7.2.2
meet n2 fd07:2::1
check "10 large RPCs over virtio" "$STORM" --client n1 --server n2 --to 10.7.2.2 --count 10 \
	--max 200000
check "8 x $virtio_count RPCs over virtio" "$STORM" --client n1 --server n2 --to 10.7.2.2 \
	--count "$virtio_count" --threads 8 --ports 2 --max 1000 --outstanding 4
check "8 x 50 RPCs over virtio, IPv6" "$STORM" --client n2 --server n1 --to fd07:2::1 \
	--count 50 --threads 8 --ports 2 --max 10000 --outstanding 4
tear_down
finish
