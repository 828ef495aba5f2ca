#!/usr/bin/env bash
# Records and analyses known programs (check/main.go) on another kernel, that of
# Debian 12, which knows perf-event uprobes only; and on the running kernel, if it is
# run by root. The other kernel runs in a virtual machine without acceleration.
#
#	run.sh DIR    the kernel is kept, and everything built, in DIR
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(realpath -m "$1")
root=$dir/root
for tool in qemu-system-x86_64 cpio gcc; do
	command -v "$tool" >/dev/null || { echo "$0: no $tool: apt-get install qemu-system-x86 cpio gcc libc6-dev"; exit 1; }
done

# The kernel is unpacked, not installed.
mkdir -p "$dir/kernel"
vmlinuz=$(find "$dir/kernel" -name 'vmlinuz-6.1*-cloud-amd64')
if [ -z "$vmlinuz" ]; then
	package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-6\.1/ { print $2; exit }')
	[ -n "$package" ] || { echo "$0: apt knows no linux-image-cloud-amd64 6.1: it is of Debian 12; apt-get update?"; exit 1; }
	rm -f "$dir"/*.deb
	(cd "$dir" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$package" && dpkg -x "$package"_*.deb kernel && rm "$package"_*.deb)
	vmlinuz=$(find "$dir/kernel" -name 'vmlinuz-6.1*-cloud-amd64')
fi

rm -rf "$root"
mkdir -p "$root"/{proc,sys,dev,tmp}
CGO_ENABLED=0 go build -trimpath -o "$root/utrace" ./cmd/utrace
CGO_ENABLED=0 go build -trimpath -o "$root/init" ./testdata/kernels/check
for source in calls threads jumps values waits hostile slow; do
	for opt in -O0 -O2; do
		gcc -w -static "$opt" -o "$root/$source$opt" "testdata/targets/$source.c" -lpthread
	done
done
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$dir/initramfs.gz"

status=0
echo "== Linux ${vmlinuz##*/vmlinuz-}, in a virtual machine"
timeout 290 qemu-system-x86_64 -accel tcg -m 512 -nographic -no-reboot -nodefaults -serial stdio -net none \
	-kernel "$vmlinuz" -initrd "$dir/initramfs.gz" -append "console=ttyS0 quiet panic=-1" </dev/null | tr -d '\r' | tee "$dir/console" || status=1
grep -qx PASS "$dir/console" || status=1

if [ "$(id -u)" = 0 ]; then
	echo "== Linux $(uname -r)"
	"$root/init" "$root" || status=1
fi
[ $status = 0 ] || echo "$0: FAILED"
exit $status
