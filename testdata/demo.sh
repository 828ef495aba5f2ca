#!/bin/sh
# Records a small server and prints the analysis. Where that is not possible it
# says so and analyses a trace of the same program that was recorded before.
# Called by "make demo", with the path of utrace.
set -u
utrace=$1
here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
say() { printf '\n\033[1m$ %s\033[0m\n' "$*" | sed "s/\x1b\[[0-9]*m//g"; }
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

trace=$here/traces/demo.arrow
if ! command -v "${CC:-cc}" >/dev/null; then
	echo "demo: no C compiler: analysing a recorded trace instead (install gcc or clang for the real thing)"
elif [ -n "$sudo" ] && ! sudo -n true 2>/dev/null; then
	echo "demo: recording needs root: analysing a recorded trace instead (run \"sudo make demo\" for the real thing)"
elif ! "${CC:-cc}" -O1 -g -o "$out/demo" "$here/targets/demo.c" -lpthread; then
	exit 1
else
	say "sudo utrace record -e '*' -o demo.arrow ./demo"
	if $sudo "$utrace" record -e '*' -o "$out/demo.arrow" "$out/demo"; then
		trace=$out/demo.arrow
	else
		echo "demo: nothing can be recorded here: analysing a recorded trace instead"
	fi
fi
say "utrace analyze demo.arrow"
"$utrace" analyze "$trace" || exit 1
say "utrace analyze --tree demo.arrow"
"$utrace" analyze --tree "$trace" || exit 1
say "utrace analyze --flow demo.arrow | head -n 24"
"$utrace" analyze --flow "$trace" | head -n 24
say "utrace analyze --pprof demo.pb.gz demo.arrow >/dev/null && go tool pprof -top demo.pb.gz"
"$utrace" analyze --pprof "$out/demo.pb.gz" "$trace" >/dev/null && go tool pprof -top "$out/demo.pb.gz"
