// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Does the module that is loaded have the events that the tools were built for? */
#include <stdio.h>
#include <string.h>

#include "events.h"
#include "fields.h"
#include "lib/die.h"

struct field {
	const char *name;		/* NULL ends a list */
	size_t size, align;
};

/* A list for each event or class, called NAME_fields. */
#define TRACE_HEADER_MULTI_READ
#define TRACE_DEFINE_ENUM(value)
#define TP_STRUCT__entry(...) __VA_ARGS__
#define __field(type, item) { #item, sizeof(type), _Alignof(type) },
#define __array(type, item, length) { #item, (length) * sizeof(type), _Alignof(type) },
#define TRACE_EVENT(name, proto, args, fields, assign, print) \
	static const struct field name##_fields[] = { fields { NULL, 0, 0 } }
#define DECLARE_EVENT_CLASS TRACE_EVENT
#define DEFINE_EVENT(class, name, proto, args) struct field
#define in6_addr in6_addr_bytes
#include "homa_trace.h"

/* The list of an event, or NULL. */
#undef TRACE_EVENT
#undef DECLARE_EVENT_CLASS
#undef DEFINE_EVENT
#define TRACE_EVENT(name, proto, args, fields, assign, print) \
	DEFINE_EVENT(name, name, proto, args)
#define DECLARE_EVENT_CLASS(name, proto, args, fields, assign, print) \
	(void)name##_fields	/* a class is no event */
#define DEFINE_EVENT(class, name, proto, args) \
	do { if (!strcmp(event, #name)) return class##_fields; } while (0)
static const struct field *event_fields(const char *event)
{
#include "homa_trace.h"
	return NULL;
}

/* What a line of the event's description says; false if it is of no field. */
static bool line_parse(const char *line, char *name, size_t *offset, size_t *size)
{
	char declaration[128], *begin;

	if (sscanf(line, " field:%127[^;]; offset:%zu; size:%zu;", declaration, offset,
		   size) != 3)
		return false;
	declaration[strcspn(declaration, "[")] = '\0';
	begin = strrchr(declaration, ' ');
	strcpy(name, begin ? begin + 1 : declaration);
	return true;
}

/* Where the kernel says that a field is; false if it has none of that name. */
static bool field_find(FILE *from, const struct field *field, size_t offset)
{
	char line[256], name[128];
	size_t at, size;

	rewind(from);
	while (fgets(line, sizeof(line), from))
		if (line_parse(line, name, &at, &size) && !strcmp(name, field->name))
			return at == offset && size == field->size;
	return false;
}

void fields_check(const char *tracefs, const char *event)
{
	size_t at = sizeof(struct trace_entry);
	const struct field *field;
	char path[256];
	FILE *from;

	field = event_fields(event);
	if (!field)
		die("there is no event %s in homa/trace.h", event);
	snprintf(path, sizeof(path), "%s/events/homa/%s/format", tracefs, event);
	from = fopen(path, "r");
	if (!from)
		die("homa.ko has no event %s: the module and this program are of different versions",
		    event);
	for (; field->name; field++) {
		at = (at + field->align - 1) / field->align * field->align;
		if (!field_find(from, field, at))
			die("%s of event %s is elsewhere: the module and this program are of different versions",
			    field->name, event);
		at += field->size;
	}
	fclose(from);
}
