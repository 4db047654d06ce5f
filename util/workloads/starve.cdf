# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# Message sizes: Synthetic: provokes starvation of the largest messages at 100% load for >= 30 s.
# Weights derived from HomaModule's util/dist.cc (commit 9edb958).
# Each line: size in bytes, fraction of the messages that are no larger.
100000 0.105263157895
200000 0.210526315789
300000 0.315789473684
400000 0.421052631579
500000 0.526315789474
600000 0.631578947368
700000 0.736842105263
800000 0.842105263158
900000 0.947368421053
1000000 1.0
