#!/usr/bin/env bash
# Records and analyses known programs (check/main.go) on other kernels, those of Debian, in virtual machines without
# acceleration, and on the running one.
#
#	run.sh DIR [KERNEL]...    the kernels are kept, and everything built, in DIR
#
# "running" is the kernel that runs, and needs root. The others, by what differs:
#
#	amd64-6.1     perf-event uprobes only
#	amd64-6.12    links for many probes (uprobe_multi), and nothing of what 6.16 and 6.18 have added
#	arm64-6.1     perf-event uprobes only
#	arm64-6.12    uprobe_multi
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(realpath -m "$1")
shift
[ $# -gt 0 ] || set -- amd64-6.1 amd64-6.12 arm64-6.1 arm64-6.12 running
declare -A suites=([6.1]=bookworm [6.12]=trixie)
mirror=http://deb.debian.org/debian keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# need TOOL PACKAGE...: the packages are of Debian 12.
need() {
	command -v "$1" >/dev/null || { echo "$0: no $1: apt-get install ${*:2}"; exit 1; }
}

# machine sets what depends on the processor: compiler, qemu, options, console.
machine() {
	case $1 in
	amd64)
		cc=x86_64-linux-gnu-gcc signed="" qemu=(qemu-system-x86_64) console=ttyS0
		need $cc gcc libc6-dev
		need "${qemu[0]}" qemu-system-x86
		;;
	arm64)
		cc=aarch64-linux-gnu-gcc signed=-mbranch-protection=standard qemu=(qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on) console=ttyAMA0
		need $cc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
		need "${qemu[0]}" qemu-system-arm
		;;
	esac
}

# fetch KERNEL ARCH SUITE unpacks a kernel, and installs nothing. apt has lists of its own for that: the
# suites and the architecture are not the machine's.
fetch() {
	local to=$dir/$1/kernel apt=$dir/$1/apt package
	[ -r $keyring ] || { echo "$0: no $keyring: apt-get install debian-archive-keyring"; exit 1; }
	rm -rf "$to" "$apt"
	mkdir -p "$to" "$apt"/{lists,cache}
	: >"$apt/status"
	echo "deb [signed-by=$keyring] $mirror $3 main" >"$apt/sources.list"
	cat >"$apt/conf" <<-END
		APT { Architecture "$2"; Architectures { "$2"; }; Sandbox::User "$(id -un)"; };
		Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
		Dir::Etc { SourceList "$apt/sources.list"; SourceParts "-"; Preferences "-"; PreferencesParts "-"; };
		Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
	END
	# The command line comes after the machine's own configuration, which it must win against.
	local options=(-q -c "$apt/conf")
	apt-get "${options[@]}" update
	package=$(apt-cache "${options[@]}" depends "linux-image-cloud-$2" | awk '/Depends: linux-image-/ { print $2; exit }')
	[ -n "$package" ] || { echo "$0: $mirror has no linux-image-cloud-$2 in $3"; exit 1; }
	(cd "$apt" && apt-get "${options[@]}" download "$package" && dpkg-deb -x "$package"_*.deb "$to")
	rm -rf "$apt"
}

# compile PROGRAM SOURCE FLAG...
compile() {
	$cc -w -static -o "$1" "testdata/targets/$2" "${@:3}" -lpthread
}

# build ROOT ARCH builds the program, the check as init, and the targets, all static.
build() {
	rm -rf "$1"
	mkdir -p "$1"/{proc,sys,dev,tmp}
	CGO_ENABLED=0 GOARCH=$2 go build -trimpath -o "$1/utrace" ./cmd/utrace
	CGO_ENABLED=0 GOARCH=$2 go build -trimpath -o "$1/init" ./testdata/kernels/check
	CGO_ENABLED=0 GOARCH=$2 go build -trimpath -o "$1/goroutines" ./testdata/targets/goroutines
	for opt in -O0 -O2; do
		for source in calls threads jumps values waits hostile slow; do
			compile "$1/$source$opt" $source.c $opt -isystem "$dir/include"
		done
		compile "$1/arguments$opt" arguments.c $opt -g
		compile "$1/bare$opt" arguments.c $opt
	done
	framed="-O1 -fno-omit-frame-pointer -fno-optimize-sibling-calls"
	# shellcheck disable=SC2086
	compile "$1/stacks" stacks.c $framed
	# shellcheck disable=SC2086
	compile "$1/signed" stacks.c $framed $signed # return addresses that the processor signs
}

status=0
need go "and see https://go.dev/dl"
need cpio cpio
need gcc gcc libc6-dev
# sys/sdt.h is that of this machine, which is good for all.
sdt=$(echo '#include <sys/sdt.h>' | gcc -E -M - 2>/dev/null | grep -o '[^ ]*/sys/sdt[^ ]*\.h') || { echo "$0: no sys/sdt.h: apt-get install systemtap-sdt-dev"; exit 1; }
mkdir -p "$dir/include/sys"
# shellcheck disable=SC2086
cp $sdt "$dir/include/sys"
for kernel; do
	arch=${kernel%%-*}
	[ "$kernel" = running ] && arch=$(go env GOARCH)
	[ "$kernel" = running ] || [ -n "${suites[${kernel#*-}]-}" ] || { echo "$0: no kernel $kernel"; exit 2; }
	machine "$arch"
	if [ "$kernel" = running ]; then
		[ "$(id -u)" = 0 ] || { echo "$0: skipped: the running kernel, which needs root"; continue; }
		build "$dir/running" "$arch"
		echo "== Linux $(uname -r)"
		"$dir/running/init" "$dir/running" || status=1
		continue
	fi
	vmlinuz=$(find "$dir/$kernel/kernel/boot" -name 'vmlinuz-*' 2>/dev/null || true)
	if [ -z "$vmlinuz" ]; then
		fetch "$kernel" "$arch" "${suites[${kernel#*-}]}"
		vmlinuz=$(find "$dir/$kernel/kernel/boot" -name 'vmlinuz-*')
	fi
	root=$dir/$kernel/root
	build "$root" "$arch"
	(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$dir/$kernel/initramfs.gz"
	echo "== Linux ${vmlinuz##*/vmlinuz-}, in a virtual machine"
	timeout 600 "${qemu[@]}" -accel tcg -m 512 -nographic -no-reboot -nodefaults -serial stdio -net none \
		-kernel "$vmlinuz" -initrd "$dir/$kernel/initramfs.gz" -append "console=$console quiet panic=-1" </dev/null |
		tr -d '\r' | tee "$dir/$kernel/console" || status=1
	grep -qx PASS "$dir/$kernel/console" || status=1
done
[ $status = 0 ] || echo "$0: FAILED"
exit $status
