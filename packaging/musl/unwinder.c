/* What Debian's unwinder (libgcc_eh.a), which was built for glibc, takes for granted and musl does not give. Without it
 * no backtrace could be made. Linked into the static program only, see xtask/src/dist/musl.rs. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stdint.h>

/* The unwinder names these as weak symbols, and calls them all the same: with glibc 2.34 they are always there. A weak
 * name brings nothing in from a static library; these do. */
int __pthread_key_create(pthread_key_t *, void (*)(void *));
__attribute__((used)) static void *const threads[] = {
	(void *)__pthread_key_create, (void *)pthread_getspecific, (void *)pthread_key_create,
	(void *)pthread_mutex_lock, (void *)pthread_mutex_unlock, (void *)pthread_once,
	(void *)pthread_setspecific,
};

/* glibc 2.35 tells the object that an address lies in (its manual: "Dynamic Linker Introspection"). musl has the list of
 * objects, which is one in a static program. */

struct dl_find_object {
	unsigned long long dlfo_flags;
	void *dlfo_map_start;
	void *dlfo_map_end;
	struct link_map *dlfo_link_map;
	void *dlfo_eh_frame; /* PT_GNU_EH_FRAME */
	unsigned long long reserved[7];
};

struct question {
	uintptr_t address;
	struct dl_find_object *answer;
};

static int look(struct dl_phdr_info *object, size_t length, void *argument)
{
	struct question *question = argument;
	(void)length;
	struct dl_find_object found = { 0 };
	int inside = 0;

	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;
		uintptr_t end = start + segment->p_memsz;

		if (segment->p_type == PT_GNU_EH_FRAME)
			found.dlfo_eh_frame = (void *)start;
		if (segment->p_type != PT_LOAD)
			continue;
		if (!found.dlfo_map_start || start < (uintptr_t)found.dlfo_map_start)
			found.dlfo_map_start = (void *)start;
		if (end > (uintptr_t)found.dlfo_map_end)
			found.dlfo_map_end = (void *)end;
		inside |= question->address >= start && question->address < end;
	}
	if (!inside || !found.dlfo_eh_frame)
		return 0;
	*question->answer = found;
	return 1;
}

int _dl_find_object(void *address, struct dl_find_object *answer)
{
	struct question question = { (uintptr_t)address, answer };
	return dl_iterate_phdr(look, &question) ? 0 : -1;
}
