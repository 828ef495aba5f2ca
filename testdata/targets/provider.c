/* A program that makes its static probes while it runs, as users of libstapsdt
 * (https://github.com/linux-usdt/libstapsdt) do: it writes a shared object with
 * one function (nop; ret) and one note for each probe, loads it, unlinks the
 * file, and fires a probe by calling its function. There are no semaphores.
 *
 *   provider [-l] [-m] CALLS INTERVAL_MS [DELAY_MS]
 *
 * -l makes the probes after the delay, and not before; -m puts the object into
 * memory (memfd_create). It then fires CALLS rounds of all probes, INTERVAL_MS
 * apart, and prints each with its arguments:
 *
 *   simplehttp:file_transfer(char *ip, char *path, uint32 size)
 *   simplehttp:args_0() ... args_6(int8, uint8, int16, uint32, int64, uint64)
 *
 * gcc -O2 -o provider provider.c (-ldl before glibc 2.34) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
static const unsigned char code[8] = { 0x90, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 };
static const char *const registers[] = { "%rdi", "%rsi", "%rdx", "%rcx", "%r8", "%r9" };
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
static const unsigned char code[8] = { 0x1f, 0x20, 0x03, 0xd5, 0xc0, 0x03, 0x5f, 0xd6 };
static const char *const registers[] = { "x0", "x1", "x2", "x3", "x4", "x5" };
#endif

enum { MAX_ARGS = 6, PAGE = 0x10000 };

struct probe {
	const char *name;
	int sizes[MAX_ARGS + 1]; /* in bytes, negative if signed, then 0 */
	void (*fire)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
};

static const char provider[] = "simplehttp";
static struct probe probes[] = {
	{ "file_transfer", { 8, 8, 4 } },
	{ "args_0", { 0 } },
	{ "args_1", { -1 } },
	{ "args_2", { -1, 1 } },
	{ "args_3", { -1, 1, -2 } },
	{ "args_4", { -1, 1, -2, 4 } },
	{ "args_5", { -1, 1, -2, 4, -8 } },
	{ "args_6", { -1, 1, -2, 4, -8, 8 } },
};
enum { PROBES = sizeof(probes) / sizeof(probes[0]) };

static unsigned char image[4 * PAGE];
static size_t used;

/* put appends size bytes, aligned, and returns where they are. */
static size_t put(const void *bytes, size_t size, size_t align)
{
	size_t at = (used + align - 1) & -align;

	if (at + size > sizeof(image))
		errx(1, "the object is too large");
	if (bytes)
		memcpy(image + at, bytes, size);
	used = at + size;
	return at;
}

static size_t put_string(const char *s) { return put(s, strlen(s) + 1, 1); }

/* put_note appends the note of a probe, and zeroes up to a multiple of 4. */
static void put_note(const struct probe *p, uint64_t addr, uint64_t base)
{
	uint64_t addrs[3] = { addr, base, 0 };
	size_t header = put(NULL, 12, 4), desc;
	uint32_t sizes[3] = { 8, 0, 3 };

	put_string("stapsdt");
	desc = put(addrs, sizeof(addrs), 1);
	put_string(provider);
	put_string(p->name);
	for (int i = 0; p->sizes[i]; i++) {
		char arg[32];
		int n = sprintf(arg, "%s%d@%s", i ? " " : "", p->sizes[i], registers[i]);
		put(arg, n, 1);
	}
	put("", 1, 1);
	sizes[1] = used - desc;
	memcpy(image + header, sizes, sizeof(sizes));
	put(NULL, 0, 4);
}

/* build makes the shared object in image. Addresses are offsets, but for the
 * dynamic section, which lies a page further on, in a segment that can be written to. */
static void build(void)
{
	enum { HASH = 1, DYNSYM, DYNSTR, TEXT, BASE, DYNAMIC, NOTE, SHSTRTAB, SECTIONS };
	Elf64_Ehdr eh = { .e_ident = ELFMAG "\2\1\1", .e_type = ET_DYN, .e_machine = MACHINE,
			  .e_version = 1, .e_ehsize = sizeof(eh), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 4,
			  .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = SECTIONS, .e_shstrndx = SHSTRTAB };
	Elf64_Phdr ph[4] = { 0 };
	Elf64_Shdr sh[SECTIONS] = { 0 };
	Elf64_Sym sym[PROBES + 1] = { 0 };
	uint32_t hash[2 + 1 + PROBES + 1] = { 1, PROBES + 1, PROBES }; /* one bucket: a chain of all */
	size_t headers, end;

	put(&eh, sizeof(eh), 1);
	put(ph, sizeof(ph), 8);
	for (int i = 1; i <= PROBES; i++)
		hash[3 + i] = i - 1;
	sh[HASH] = (Elf64_Shdr){ 0, SHT_HASH, SHF_ALLOC, 0, put(hash, sizeof(hash), 8), sizeof(hash), DYNSYM, 0, 8, 4 };
	sh[DYNSYM] = (Elf64_Shdr){ 0, SHT_DYNSYM, SHF_ALLOC, 0, put(sym, sizeof(sym), 8), sizeof(sym), DYNSTR, 1, 8, sizeof(sym[0]) };
	sh[DYNSTR] = (Elf64_Shdr){ 0, SHT_STRTAB, SHF_ALLOC, 0, put_string(""), 0, 0, 0, 1, 0 };
	for (int i = 0; i < PROBES; i++)
		sym[i + 1].st_name = put_string(probes[i].name) - sh[DYNSTR].sh_offset;
	sh[DYNSTR].sh_size = used - sh[DYNSTR].sh_offset;
	sh[TEXT] = (Elf64_Shdr){ 0, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, put(NULL, 0, 16), PROBES * sizeof(code), 0, 0, 16, 0 };
	for (int i = 0; i < PROBES; i++) {
		sym[i + 1].st_value = put(code, sizeof(code), 1);
		sym[i + 1].st_size = sizeof(code);
		sym[i + 1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
		sym[i + 1].st_shndx = TEXT;
	}
	memcpy(image + sh[DYNSYM].sh_offset, sym, sizeof(sym));
	sh[BASE] = (Elf64_Shdr){ 0, SHT_PROGBITS, SHF_ALLOC, 0, put("", 1, 1), 1, 0, 0, 1, 0 };
	end = used;
	for (int i = HASH; i <= BASE; i++)
		sh[i].sh_addr = sh[i].sh_offset;

	Elf64_Dyn dyn[] = { { DT_HASH, { sh[HASH].sh_addr } }, { DT_STRTAB, { sh[DYNSTR].sh_addr } }, { DT_SYMTAB, { sh[DYNSYM].sh_addr } },
			    { DT_STRSZ, { sh[DYNSTR].sh_size } }, { DT_SYMENT, { sizeof(sym[0]) } }, { DT_NULL, { 0 } } };
	sh[DYNAMIC] = (Elf64_Shdr){ 0, SHT_DYNAMIC, SHF_ALLOC | SHF_WRITE, 0, put(dyn, sizeof(dyn), 16), sizeof(dyn), DYNSTR, 0, 8, sizeof(dyn[0]) };
	sh[DYNAMIC].sh_addr = sh[DYNAMIC].sh_offset + PAGE;
	sh[NOTE] = (Elf64_Shdr){ 0, SHT_NOTE, 0, 0, put(NULL, 0, 4), 0, 0, 0, 4, 0 };
	for (int i = 0; i < PROBES; i++)
		put_note(&probes[i], sym[i + 1].st_value, sh[BASE].sh_addr);
	sh[NOTE].sh_size = used - sh[NOTE].sh_offset;
	sh[SHSTRTAB] = (Elf64_Shdr){ 0, SHT_STRTAB, 0, 0, put_string(""), 0, 0, 0, 1, 0 };
	const char *const section[] = { "", ".hash", ".dynsym", ".dynstr", ".text", ".stapsdt.base", ".dynamic", ".note.stapsdt", ".shstrtab" };
	for (int i = 1; i < SECTIONS; i++)
		sh[i].sh_name = put_string(section[i]) - sh[SHSTRTAB].sh_offset;
	sh[SHSTRTAB].sh_size = used - sh[SHSTRTAB].sh_offset;
	headers = put(sh, sizeof(sh), 8);

	ph[0] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_X, 0, 0, 0, end, end, PAGE };
	ph[1] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_W, sh[DYNAMIC].sh_offset, sh[DYNAMIC].sh_addr, sh[DYNAMIC].sh_addr, sizeof(dyn), sizeof(dyn), PAGE };
	ph[2] = (Elf64_Phdr){ PT_DYNAMIC, PF_R | PF_W, sh[DYNAMIC].sh_offset, sh[DYNAMIC].sh_addr, sh[DYNAMIC].sh_addr, sizeof(dyn), sizeof(dyn), 8 };
	ph[3] = (Elf64_Phdr){ PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16 };
	eh.e_phoff = sizeof(eh);
	eh.e_shoff = headers;
	memcpy(image, &eh, sizeof(eh));
	memcpy(image + eh.e_phoff, ph, sizeof(ph));
}

/* load makes the probes callable. */
static void load(int in_memory)
{
	char path[64] = "/tmp/simplehttp-XXXXXX";
	int fd = in_memory ? memfd_create(provider, MFD_CLOEXEC) : mkstemp(path);
	void *object;

	build();
	if (fd < 0 || write(fd, image, used) != (ssize_t)used)
		err(1, "%s", path);
	if (in_memory)
		sprintf(path, "/proc/self/fd/%d", fd);
	object = dlopen(path, RTLD_NOW);
	if (!object)
		errx(1, "%s", dlerror());
	close(fd);
	if (!in_memory)
		unlink(path);
	for (int i = 0; i < PROBES; i++) {
		*(void **)&probes[i].fire = dlsym(object, probes[i].name);
		if (!probes[i].fire)
			errx(1, "%s", dlerror());
	}
	printf("loaded\n");
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* fire_all fires every probe once, with values that depend on the round. */
static void fire_all(int round)
{
	char ip[32], path[64];
	uint32_t size = 112640 + round;
	int8_t a = -1 - round % 100;
	uint8_t b = 200 + round % 50;
	int16_t c = -30000 - round % 1000;
	uint32_t d = 4000000000u + round;
	int64_t e = -5000000000 - round;
	uint64_t f = UINT64_C(10000000000000000000) + round;

	sprintf(ip, "127.0.0.%d", 1 + round % 250);
	sprintf(path, "/srv/work-%d.tar", round);
	probes[0].fire((uintptr_t)ip, (uintptr_t)path, size, 0, 0, 0);
	printf("file_transfer %s %s %" PRIu32 "\n", ip, path, size);
	for (int n = 0; n <= MAX_ARGS; n++) {
		probes[1 + n].fire(a, b, c, d, e, f);
		printf("args_%d", n);
		if (n > 0) printf(" %d", a);
		if (n > 1) printf(" %d", b);
		if (n > 2) printf(" %d", c);
		if (n > 3) printf(" %" PRIu32, d);
		if (n > 4) printf(" %" PRId64, e);
		if (n > 5) printf(" %" PRIu64, f);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	int late = 0, in_memory = 0, opt;

	while ((opt = getopt(argc, argv, "lm")) != -1) {
		late |= opt == 'l';
		in_memory |= opt == 'm';
	}
	if (argc - optind < 2)
		errx(2, "usage: provider [-l] [-m] CALLS INTERVAL_MS [DELAY_MS]");
	int calls = atoi(argv[optind]);
	long interval = atol(argv[optind + 1]), delay = argc - optind > 2 ? atol(argv[optind + 2]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!late)
		load(in_memory);
	sleep_ms(delay);
	if (late)
		load(in_memory);
	for (int round = 0; round < calls; round++) {
		if (round)
			sleep_ms(interval);
		fire_all(round);
	}
	return 0;
}
