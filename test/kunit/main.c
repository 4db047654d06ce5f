// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa_kunit.ko: the KUnit suites of this folder, for a kernel that has homa.ko. */

#include <linux/module.h>

MODULE_DESCRIPTION("KUnit tests of Homa");
MODULE_LICENSE("Dual BSD/GPL");
HOMA_IMPORT_KUNIT();
