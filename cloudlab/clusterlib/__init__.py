# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Library behind cloudlab/bin: clusters of hosts, benchmark runs, results and reports."""
