/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* For tests of tt/kmod: an owner of a timetrace, whose rings have EVENTS records. */
#ifndef _TEST_TRACED_H
#define _TEST_TRACED_H

#include <kunit/test.h>

#include "timetrace.h"

/* As tt_record() wants it. */
struct traced {
	struct tt_host tt;
};

/* Makes test->priv one. */
static inline int traced_init(struct kunit *test)
{
	struct traced *owner = kunit_kzalloc(test, sizeof(*owner), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, owner);
	tt_host_init(&owner->tt);
	KUNIT_ASSERT_EQ(test, tt_rings_alloc(&owner->tt, EVENTS), 0);
	test->priv = owner;
	return 0;
}

static inline void traced_exit(struct kunit *test)
{
	struct traced *owner = test->priv;

	if (owner)
		tt_rings_free(&owner->tt);
}

#endif /* _TEST_TRACED_H */
