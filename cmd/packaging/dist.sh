#!/usr/bin/env bash
# make dist: what a release consists of, in dist/. Two runs on one commit with one version of Go give
# the same bytes: make dist-check compares them.
set -euo pipefail
cd "$(dirname "$0")/../.."

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
if tag=$(git describe --tags --match 'v[0-9]*' --dirty=-dirty 2>/dev/null); then
	VERSION=$(sed 's/^v//; s/-/+/; s/-/./g' <<<"$tag") # 1.2.3, or 1.2.3+4.g0123abc
else
	VERSION=0.0.0+$(git log -1 --format=%cd --date=format-local:%Y%m%d).$(git describe --always --abbrev=12 --dirty | tr - .)
fi
export SOURCE_DATE_EPOCH VERSION CGO_ENABLED=0 GOFLAGS= TZ=UTC LC_ALL=C
umask 022

rm -rf dist out/package
mkdir -p dist out/tools
(cd cmd/packaging && go build -o ../../out/tools/ github.com/goreleaser/nfpm/v2/cmd/nfpm ./sbom)

# The same for all architectures: manual pages, completions, licences.
make --no-print-directory install PREFIX=/usr DESTDIR=out/package VERSION="$VERSION" >/dev/null
doc=out/package/usr/share/doc/utrace
install -d $doc
install -m 644 README.md CHANGELOG.md cmd/packaging/utrace-flight-recorder.service $doc
{
	echo "utrace, and the libraries that are linked into it. First the licence of utrace."
	cat LICENSE
	printf '\n\n== Go\n\n'
	cat "$(go env GOROOT)/LICENSE"
	for arch in amd64 arm64; do
		GOOS=linux GOARCH=$arch go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/utrace
	done | sort -u | while read -r module dir; do
		files=$(find "$dir" -maxdepth 1 -type f \( -name 'LICEN[CS]E*' -o -name 'COPYING*' -o -name 'NOTICE*' \) | sort)
		for file in ${files:-"$dir/README.md"}; do # one module has its licence there
			printf '\n\n== %s: %s\n\n' "$module" "$(basename "$file")"
			cat "$file"
		done
	done
} >$doc/copyright

for ARCH in amd64 arm64; do
	export ARCH
	binary=dist/utrace-$VERSION-linux-$ARCH
	GOOS=linux GOARCH=$ARCH go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.buildVersion=$VERSION" -o "$binary" ./cmd/utrace
	install -m 755 "$binary" out/package/usr/bin/utrace
	out/tools/sbom utrace "$VERSION" "$binary" >"$binary.cdx.json"
	find out/package -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	tar --sort=name --owner=0 --group=0 --numeric-owner --format=gnu --transform "s,^usr,utrace-$VERSION," \
		-C out/package -cf - usr | gzip -9n >"$binary.tar.gz"
	for packager in deb rpm; do
		out/tools/nfpm package --config cmd/packaging/nfpm.yaml --packager $packager --target dist/ >/dev/null
	done
done

(cd dist && sha256sum -- * >SHA256SUMS)
ls -l dist
