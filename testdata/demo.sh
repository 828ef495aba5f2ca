#!/bin/sh
# Records a small server, prints the analysis, and leaves the trace in ./demo.arrow. Where recording
# is not possible, it says so and uses a trace of the same program that was recorded before.
# Called by "make demo", with the path of utrace.
set -u
utrace=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
say() { printf '\n\033[1m$ %s\033[0m\n' "$*" | sed "s/\x1b\[[0-9]*m//g"; }
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

# recorded leaves a trace of the program in ./demo.arrow, or says why it cannot.
recorded() {
	if ! command -v "${CC:-cc}" >/dev/null; then
		echo "demo: no C compiler: using a recorded trace instead (install gcc or clang for the real thing)"
		return 1
	elif [ -n "$sudo" ] && ! sudo -n true 2>/dev/null; then
		echo "demo: recording needs root: using a recorded trace instead (run \"sudo make demo\" for the real thing)"
		return 1
	fi
	"${CC:-cc}" -O1 -g -o "$out/demo" "$here/targets/demo.c" -lpthread || exit 1
	say "sudo utrace record -e '*' -o demo.arrow ./demo"
	if ! (cd "$out" && $sudo "$utrace" record -e '*' -o demo.arrow ./demo); then
		echo "demo: recording does not work here (sudo utrace doctor says why): using a recorded trace instead"
		return 1
	fi
	[ -z "$sudo" ] || sudo chown "$(id -u):$(id -g)" "$out/demo.arrow" # readable for root only so far
	cat "$out/demo.arrow" >demo.arrow
}
rm -f demo.arrow
recorded || cat "$here/traces/demo.arrow" >demo.arrow || exit 1
trace=demo.arrow
say "utrace analyze demo.arrow"
"$utrace" analyze "$trace" || exit 1
say "utrace analyze --tree demo.arrow"
"$utrace" analyze --tree "$trace" || exit 1
say "utrace analyze --flow demo.arrow | head -n 24"
"$utrace" analyze --flow "$trace" | head -n 24
say "utrace analyze --pprof demo.pb.gz demo.arrow >/dev/null && go tool pprof -top demo.pb.gz"
"$utrace" analyze --pprof "$out/demo.pb.gz" "$trace" >/dev/null && go tool pprof -top "$out/demo.pb.gz"

echo
echo "demo: the trace is ./demo.arrow"
