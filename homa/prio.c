// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Priorities: which of the network's levels a packet uses.
 *
 * Levels are 0 to num_priorities - 1, the highest is the most urgent. The
 * upper ones are for unscheduled packets, by message length: the receiver of a
 * message says with its cutoffs where one level ends and the next begins. The
 * lower ones are for scheduled packets; each grant names one. Control packets
 * use the highest.
 *
 *	cutoffs  [7] 200  [6] 2800  [5] 15000  [4] 1000000 | [3] ... [0]
 *		  shortest messages -> longest             | scheduled
 *
 * In a packet a level is three bits: the upper three of the DSCP.
 */
#include <kunit/visibility.h>

#include "prio.h"
#include "rpc.h"
#include "wire.h"

/* Derives what depends on cutoffs and number of levels. */
static void prio_update(struct homa_net *hn)
{
	struct homa_sysctls *s = &hn->sysctl;
	int i, lowest = 0;

	lockdep_assert_held(&s->lock);
	for (i = s->num_priorities; i < HOMA_MAX_PRIORITIES; i++)
		WRITE_ONCE(s->unsched_cutoffs[i], 0);
	WRITE_ONCE(s->unsched_cutoffs[0], INT_MAX);
	for (i = s->num_priorities - 1; i >= 0; i--) {
		if (s->unsched_cutoffs[i] >= HOMA_MAX_MESSAGE_LENGTH) {
			lowest = i;
			break;
		}
	}
	WRITE_ONCE(s->max_sched_prio, max(lowest - 1, 0));

	/* 0 stands for "no cutoffs yet" in packets. */
	WRITE_ONCE(s->cutoff_version, (s->cutoff_version & 0xffff) == 0xffff ?
				      1 : s->cutoff_version + 1);
}

/**
 * homa_prio_cutoffs_written() - the user has set unsched_cutoffs
 * @hn: host
 *
 * Context: hn->sysctl.lock held.
 */
void homa_prio_cutoffs_written(struct homa_net *hn)
{
	prio_update(hn);
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_cutoffs_written);

/**
 * homa_prio_num_written() - the user has set num_priorities
 * @hn: host
 *
 * Context: hn->sysctl.lock held.
 */
void homa_prio_num_written(struct homa_net *hn)
{
	prio_update(hn);
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_num_written);

/**
 * homa_prio_clamp() - make a level from the network harmless
 * @hn: host
 * @prio: level from a packet
 *
 * Context: any.
 * Return: a level that this host uses
 */
u8 homa_prio_clamp(const struct homa_net *hn, u8 prio)
{
	return min(prio, homa_prio_highest(hn));
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_clamp);

/**
 * homa_prio_unsched() - level of a message's unscheduled packets
 * @rpc: RPC with an outgoing message
 *
 * Context: any.
 * Return: the highest level whose cutoff the message does not exceed
 */
u8 homa_prio_unsched(const struct homa_rpc *rpc)
{
	int i;

	for (i = homa_prio_highest(rpc->hn); i > 0; i--)
		if (READ_ONCE(rpc->peer->cutoffs[i]) >= rpc->out.length)
			break;
	return i;
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_unsched);

/**
 * homa_prio_sched() - level for a grant
 * @hn: host
 * @rank: number of granted messages that are more urgent
 * @active: number of granted messages
 *
 * Messages use the lowest levels that keep them apart, so that a new and
 * shorter one finds a higher level free (SIGCOMM'18, section 3.4).
 *
 * Context: any.
 * Return: level
 */
u8 homa_prio_sched(const struct homa_net *hn, int rank, int active)
{
	int top = READ_ONCE(hn->sysctl.max_sched_prio);
	int prio = top - rank;
	int spare = top + 1 - active;

	if (spare > 0)
		prio -= spare;
	return clamp(prio, 0, (int)homa_prio_highest(hn));
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_sched);

/**
 * homa_prio_tclass() - level as it appears in IP headers
 * @hn: host
 * @prio: level, below HOMA_MAX_PRIORITIES
 *
 * Context: any.
 * Return: TOS byte or traffic class
 */
u8 homa_prio_tclass(const struct homa_net *hn, u8 prio)
{
	return READ_ONCE(hn->sysctl.priority_map[prio]) << 5;
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_tclass);

/**
 * homa_prio_fill_cutoffs() - tell a peer which levels to use
 * @hn: host
 * @h: header to fill in
 *
 * Context: any.
 */
void homa_prio_fill_cutoffs(struct homa_net *hn, struct homa_cutoffs_hdr *h)
{
	int i;

	h->cutoffs[0] = htonl(INT_MAX);
	for (i = 1; i < HOMA_MAX_PRIORITIES; i++)
		h->cutoffs[i] =
			htonl(READ_ONCE(hn->sysctl.unsched_cutoffs[i]));
	h->version = htons(READ_ONCE(hn->sysctl.cutoff_version));
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_fill_cutoffs);
