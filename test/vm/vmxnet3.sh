#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: RPCs over vmxnet3: several queues, NAPI, scatter-gather
# lab: --cpus 2 --nics 2 --nic-model vmxnet3
# timeout: 400
#
# Unlike virtio on a hub, vmxnet3 takes packets in pieces and receives by NAPI
# with GRO. The number as argument: RPCs of each of 8 threads.
. "$(dirname "$0")/lib.sh"

count=${1:-500}

host n1 eth0 1 1
host n2 eth1 2 1
on n1 ethtool -i eth0 | grep -qx 'driver: vmxnet3'
result $? "the driver is vmxnet3"
check_scatter_gather n1 eth0 on
meet n1 10.7.1.2
meet n2 fd07:1::1
check "10 large RPCs" "$STORM" --client n1 --server n2 --to 10.7.1.2 --count 10 --max 1000000
check "8 x $count RPCs" "$STORM" --client n1 --server n2 --to 10.7.1.2 --count "$count" \
	--threads 8 --ports 2 --max 5000 --outstanding 4
check "8 x 50 RPCs, IPv6" "$STORM" --client n2 --server n1 --to fd07:1::1 --count 50 \
	--threads 8 --ports 2 --max 10000 --outstanding 4
tear_down
finish
