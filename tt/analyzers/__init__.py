# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Analyzers of recordings, one a file; ttlib/analysis.py says what they are."""
