/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Hashing of keys that are an address and some numbers.
 *
 * Each packet looks up several of them, so this is worth more than rhashtable's
 * default, which takes keys of any length and costs twice as much.
 */
#ifndef _HOMA_HASH_H
#define _HOMA_HASH_H

#include <linux/in6.h>
#include <linux/jhash.h>

/**
 * homa_hash() - hash an address and two numbers
 * @addr: address; mapped if it is IPv4, all zeros for none
 * @a: number
 * @b: another one
 * @seed: of the table, which peers do not know: they choose what is hashed
 *
 * Mapped addresses, and none, differ in their last word only from each other.
 * Nobody can send from others that begin with 64 zeros.
 *
 * Context: any.
 * Return: the hash
 */
static inline u32 homa_hash(const struct in6_addr *addr, u32 a, u32 b, u32 seed)
{
	u32 hash = jhash_3words((__force u32)addr->s6_addr32[3], a, b, seed);

	if (addr->s6_addr32[0] | addr->s6_addr32[1])
		hash = jhash_3words((__force u32)addr->s6_addr32[0],
				    (__force u32)addr->s6_addr32[1],
				    (__force u32)addr->s6_addr32[2], hash);
	return hash;
}

#endif /* _HOMA_HASH_H */
