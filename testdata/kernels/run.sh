#!/usr/bin/env bash
# Records and analyses known programs (check/main.go) on other kernels, those of Debian, in virtual machines without
# acceleration, and on the running one.
#
#	run.sh DIR [KERNEL]...    the kernels are kept, and everything built, in DIR
#
# Several may run at a time, each for another processor.
#
# "running" is the kernel that runs, and needs root. The others, by what differs:
#
#	amd64-6.1     perf-event uprobes only
#	amd64-6.12    uprobe_multi, without what 6.16 and 6.18 have added: a nop is stepped over, and none is replaced by a call
#	arm64-6.1     another processor, and perf-event uprobes only
#	arm64-6.12    another processor, and uprobe_multi
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

# machine ARCH sets what depends on the processor.
machine() {
	case $1 in
	amd64)
		cc=x86_64-linux-gnu-gcc signed="" qemu=(qemu-system-x86_64) console=ttyS0
		need $cc gcc libc6-dev
		;;
	arm64)
		cc=aarch64-linux-gnu-gcc signed=-mbranch-protection=standard console=ttyAMA0
		qemu=(qemu-system-aarch64 -M virt -cpu "max,pauth-impdef=on")
		need $cc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
		;;
	*)
		echo "$0: no kernel $kernel"
		exit 2
		;;
	esac
}

# fetch KERNEL ARCH SUITE unpacks a kernel, and installs nothing. apt has lists of its own for that, since
# suite and architecture are not the machine's.
fetch() {
	local to=$dir/$1 apt=$dir/$1.apt package
	[ -r $keyring ] || { echo "$0: no $keyring: apt-get install debian-archive-keyring"; exit 1; }
	rm -rf "$to" "$apt"
	mkdir -p "$apt"/{lists,cache,boot}
	: >"$apt/status"
	echo "deb [signed-by=$keyring] $mirror $3 main" >"$apt/sources.list"
	local options=(-q -o "APT::Architecture=$2" -o "APT::Architectures=$2" -o "APT::Sandbox::User=$(id -un)"
		-o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
		-o "Dir::Etc::SourceList=$apt/sources.list" -o "Dir::Etc::SourceParts=/dev/null"
		-o "Dir::Etc::Preferences=/dev/null" -o "Dir::Etc::PreferencesParts=/dev/null" -o "Acquire::Languages=none")
	apt-get "${options[@]}" update || exit 1
	package=$(apt-cache "${options[@]}" depends "linux-image-cloud-$2" | awk '/Depends: linux-image-/ { print $2; exit }')
	[ -n "$package" ] || { echo "$0: $mirror has no linux-image-cloud-$2 in $3"; exit 1; }
	(cd "$apt" && apt-get "${options[@]}" download "$package" && dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x -C boot --wildcards './boot/vmlinuz-*') || exit 1
	mv "$apt/boot/boot" "$to"
	rm -rf "$apt"
}

# compile PROGRAM SOURCE FLAG...
compile() {
	$cc -w -static -o "$1" "testdata/targets/$2" "${@:3}" -lpthread
}

# build ROOT ARCH builds the program, the check as init, and the targets, all static.
build() {
	rm -rf "$1" "$1.include"
	mkdir -p "$1"/{proc,sys,dev,tmp} "$1.include/sys"
	# shellcheck disable=SC2086
	cp $sdt "$1.include/sys"
	CGO_ENABLED=0 GOARCH=$2 go build -trimpath -o "$1/utrace" ./cmd/utrace
	CGO_ENABLED=0 GOARCH=$2 go build -trimpath -o "$1/init" ./testdata/kernels/check
	CGO_ENABLED=0 GOARCH=$2 go build -trimpath -o "$1/goroutines" ./testdata/targets/goroutines
	CGO_ENABLED=0 GOARCH=$2 go build -o "$1/go-arguments" ./testdata/targets/arguments
	for opt in -O0 -O2; do
		for source in calls threads jumps values waits hostile slow; do
			compile "$1/$source$opt" $source.c $opt -isystem "$1.include"
		done
		compile "$1/arguments$opt" arguments.c $opt -g
		compile "$1/bare$opt" arguments.c $opt
	done
	framed="-O1 -fno-omit-frame-pointer -fno-optimize-sibling-calls"
	# shellcheck disable=SC2086
	compile "$1/stacks" stacks.c $framed
	# shellcheck disable=SC2086
	compile "$1/signed" stacks.c $framed $signed # return addresses that the processor signs
	(cd "$1" && find . | cpio --quiet -o -H newc | gzip -1) >"$1.gz"
}

# boot KERNEL ARCH runs the check in a virtual machine.
boot() {
	need "${qemu[0]}" qemu-system-x86 qemu-system-arm
	vmlinuz=$(find "$dir/$1" -name 'vmlinuz-*' 2>/dev/null || true)
	if [ -z "$vmlinuz" ]; then
		fetch "$1" "$2" "${suites[${1#*-}]}"
		vmlinuz=$(find "$dir/$1" -name 'vmlinuz-*')
	fi
	echo "== Linux ${vmlinuz##*/vmlinuz-}, in a virtual machine"
	timeout 600 "${qemu[@]}" -accel tcg -m 512 -nographic -no-reboot -nodefaults -serial stdio -net none \
		-kernel "$vmlinuz" -initrd "$dir/root-$2.gz" -append "console=$console quiet panic=-1" </dev/null |
		sed -u 's/\r$//' | tee "$dir/$1.console" || return 1
	grep -qx PASS "$dir/$1.console"
}

need cpio cpio
need gcc gcc libc6-dev
# sys/sdt.h is that of this machine, which is good for all.
sdt=$(echo '#include <sys/sdt.h>' | gcc -E -M - 2>/dev/null | grep -o '[^ ]*/sys/sdt[^ ]*\.h') || { echo "$0: no sys/sdt.h: apt-get install systemtap-sdt-dev"; exit 1; }

declare -A built=()
status=0
for kernel; do
	arch=${kernel%%-*}
	if [ "$kernel" = running ]; then
		[ "$(id -u)" = 0 ] || { echo "$0: skipped: the running kernel, which needs root"; continue; }
		arch=$(go env GOARCH)
	elif [ -z "${suites[${kernel#*-}]-}" ]; then
		echo "$0: no kernel $kernel"
		exit 2
	fi
	machine "$arch"
	[ -n "${built[$arch]-}" ] || build "$dir/root-$arch" "$arch"
	built[$arch]=yes
	if [ "$kernel" = running ]; then
		echo "== Linux $(uname -r)"
		"$dir/root-$arch/init" "$dir/root-$arch" || status=1
	else
		boot "$kernel" "$arch" || { echo "$0: $kernel failed"; status=1; }
	fi
done
[ $status = 0 ] || echo "$0: FAILED"
exit $status
