#!/bin/sh
# Builds split/: stripped files, their separate debug files, and what nm says of them unstripped.
#
#	NAME.elf     stripped, with a debug link to NAME.debug
#	NAME.debug   the symbols and the DWARF of it
#	NAME.nm      code symbols of the file before it was stripped
#	mini.elf     stripped, with an embedded symbol table (.gnu_debugdata)
#
# Needs gcc, binutils, xz, and aarch64-linux-gnu-gcc. The results are committed: tests need no compiler.
set -eu
cd "$(dirname "$0")"
rm -rf split
mkdir split

small="-Wl,-z,noseparate-code -Wl,--build-id=sha1 -ffile-prefix-map=$PWD=/fixture"

build() { # PREFIX NAME FLAGS...
	prefix=$1 name=$2
	shift 2
	"${prefix}gcc" $small -O2 -g -gdwarf-5 "$@" -o "split/$name.elf" src/split.c
	"${prefix}nm" -S -n "split/$name.elf" | grep -i ' [tw] ' >"split/$name.nm"
	"${prefix}objcopy" --only-keep-debug --compress-debug-sections=zlib "split/$name.elf" "split/$name.debug"
	"${prefix}strip" "split/$name.elf"
	(cd split && "${prefix}objcopy" --add-gnu-debuglink="$name.debug" "$name.elf")
}

build "" pie
build "" nopie -no-pie -fcf-protection=full
build aarch64-linux-gnu- arm64 -Wl,-z,max-page-size=4096

gcc $small -O2 -o split/mini.elf src/split.c
nm -S -n split/mini.elf | grep -i ' [tw] ' >split/mini.nm
objcopy -S --keep-symbol=leaf --keep-symbol=middle --keep-symbol=main split/mini.elf split/mini
strip split/mini.elf
xz split/mini
objcopy --add-section .gnu_debugdata=split/mini.xz split/mini.elf
rm split/mini.xz
du -cb split/* | tail -1
