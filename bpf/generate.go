package bpf

// The compiler is pinned by name: it makes the same objects again, byte for byte
// (https://packages.debian.org/bookworm/clang-19).
//go:generate go tool bpf2go -go-package bpf -tags linux -target amd64,arm64 -cc clang-19 -strip llvm-strip-19 -no-global-types -cflags "-O2 -g -Wall -Werror -mcpu=v3" utrace utrace.bpf.c
