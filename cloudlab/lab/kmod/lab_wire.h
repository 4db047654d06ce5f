/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What the lab's hardware has in common: time on the wire, and settings as text. */
#ifndef _LAB_WIRE_H
#define _LAB_WIRE_H

#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#ifdef HOMA_HAVE_NET_GSO_H
#include <net/gso.h>
#endif

#define LAB_MIN_FRAME 60		/* Ethernet pads shorter ones; checksum not counted */
#define LAB_FRAMING 24			/* preamble 8, checksum 4, gap 12 */
#define LAB_PS_PER_SEC 1000000000000ULL
#define LAB_PS_PER_NS 1000ULL

static inline u64 lab_now_ps(void)
{
	return ktime_get_ns() * LAB_PS_PER_NS;
}

static inline u64 lab_ps_to_ns(u64 ps)
{
	return DIV_ROUND_UP_ULL(ps, LAB_PS_PER_NS);
}

static inline u32 lab_wire_bytes(const struct sk_buff *skb)
{
	return max_t(u32, skb->len, LAB_MIN_FRAME) + LAB_FRAMING;
}

/* How long a frame takes at @rate bits per second, in ps. */
static inline u64 lab_wire_time(const struct sk_buff *skb, u64 rate)
{
	return div64_u64(lab_wire_bytes(skb) * 8 * LAB_PS_PER_SEC, rate);
}

/**
 * struct lab_key - a setting that is written as "name=number"
 * @name: with the "="
 * @offset: of its u64 in the structure of settings
 * @low: least value
 * @high: largest value
 */
struct lab_key {
	const char *name;
	size_t offset;
	u64 low, high;
};

#define LAB_KEY(type, member, low, high) \
	{ #member "=", offsetof(struct type, member), low, high }

/* Set what @word says in @settings. */
static inline int lab_set(void *settings, const struct lab_key *keys, int count, const char *word)
{
	u64 value;
	size_t len;

	for (; count; count--, keys++) {
		len = strlen(keys->name);
		if (strncmp(word, keys->name, len))
			continue;
		if (kstrtou64(word + len, 10, &value))
			return -EINVAL;
		if (value < keys->low || value > keys->high)
			return -ERANGE;
		*(u64 *)(settings + keys->offset) = value;
		return 0;
	}
	return -EINVAL;
}

#endif /* _LAB_WIRE_H */
