#!/bin/sh
# Builds the ELF files of this directory from src/, and writes what nm and readelf say of each beside it.
# Needs gcc, g++, binutils, and aarch64-linux-gnu-gcc for the aarch64 files. The results are committed: tests
# need no compiler. The sources are named relative to this directory, so the debugging information holds
# /fixture/src/NAME wherever it is built.
set -eu
cd "$(dirname "$0")"
rm -f *.elf *.nm *.readelf

small="-Wl,-z,noseparate-code -Wl,--build-id=sha1 -ffile-prefix-map=$PWD=/fixture"

gcc $small -O2 -g -gdwarf-5 -o pie.elf src/first.c src/second.c
gcc $small -O2 -g -gdwarf-4 -no-pie -o nopie.elf src/first.c src/second.c
gcc $small -O2 -fcf-protection=full -g -gdwarf-5 -gz=zlib -o cet.elf src/first.c src/second.c
gcc $small -O2 -s -shared -fPIC -Wl,-soname,libfixture.so.1 -Wl,-rpath,'$ORIGIN/lib:/opt/lib' -Wl,--enable-new-dtags \
	-o stripped.elf src/second.c
gcc $small -O2 -shared -fPIC -fexceptions -Wl,-soname,libcleanup.so -Wl,-rpath,/old -Wl,--disable-new-dtags -o cleanup.elf src/cleanup.c
gcc $small -O2 -s -o switch.elf src/switch.c
gcc $small -g -gdwarf-5 -nostdlib -shared -o vector.elf src/vector.S
g++ $small -O2 -g -gdwarf-5 -gz=zlib -o cxx.elf src/throw.cc
aarch64-linux-gnu-gcc $small -O2 -g -gdwarf-5 -Wl,-z,max-page-size=4096 -o arm64.elf src/first.c src/second.c
if command -v clang >/dev/null; then
	clang $small -O2 -g -gdwarf-5 -o clang.elf src/first.c src/second.c
fi

# NAME.nm holds the code symbols, NAME.readelf the headers and, in the columns of readelf -s, the functions.
for f in *.elf; do
	nm=nm readelf=readelf
	case $f in arm64*) nm=aarch64-linux-gnu-nm readelf=aarch64-linux-gnu-readelf ;; esac
	{ $nm -n "$f" 2>/dev/null; $nm -D -n "$f" 2>/dev/null; } | grep ' [TtWi] ' | sort -u >"${f%.elf}.nm" || true
	{
		LC_ALL=C $readelf -W -h -l -n -d "$f" 2>/dev/null | grep -E 'Entry|NEEDED|SONAME|RPATH|RUNPATH|Build ID|LOAD .* E |interpreter:'
		LC_ALL=C $readelf -W -s "$f" 2>/dev/null | grep -E ' (FUNC|IFUNC|FILE) '
	} >"${f%.elf}.readelf" || true
done
du -cb *.elf *.nm *.readelf | tail -1
