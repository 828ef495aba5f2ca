# make build     the program, ./utrace
# make demo      record a real program, print the analysis, and leave the trace in ./demo.arrow
# make install   program, manual pages and completions below PREFIX (/usr/local); DESTDIR is put in front.
#                make uninstall removes them
# make man       the manual pages, in out/man
# make dist      packages, archives, checksums and bills of materials for amd64 and arm64, in dist;
#                make dist-check makes them twice, and compares
# make test      the tests, in at most 12 minutes; those that need the kernel run as root. Each package in
#                record/test says which end-to-end tests it has, and after which changes to run them
# make test-long all tests, in full
# make test-kernels  other kernels in virtual machines: KERNELS="amd64-6.1 arm64-6.12 running" if nothing else
#                is said, amd64-6.12 and arm64-6.1 beside them; testdata/kernels/run.sh says what each is for
# make lint      formatting, go vet, staticcheck
# make generate  the BPF objects again (needs clang-19, llvm-19, libbpf-dev)
# make page      the program of HTML pages again (needs npm, and the network for its packages)
# make fuzz      every fuzz target for FUZZTIME each
# make soak      a Go server under load, five times for SOAK; and programs beside recordings of every kind,
#                each BYSTANDERS times
# make causes    programs with a planted cause of slow calls, each CAUSES times: how often --why names it
# make bench     every benchmark; make bench-probes what a probe costs, by site, with bpftrace beside it

GO       ?= go
FUZZTIME ?= 20s
SOAK     ?= 10m
BYSTANDERS ?= 20
CAUSES   ?= 20
KERNELS  ?= amd64-6.1 arm64-6.12 running
PREFIX   ?= /usr/local
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS  := $(if $(VERSION),-X main.buildVersion=$(VERSION))
SUDO     := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: build demo man install uninstall dist dist-check test test-long test-kernels lint generate page fuzz soak causes bench bench-probes

build: | have-go
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o utrace ./cmd/utrace

demo: build
	@testdata/demo.sh ./utrace

man: | have-go
	rm -rf out/man
	$(GO) run -tags man -ldflags "$(LDFLAGS)" ./cmd/utrace out/man

# Where each shell of Debian looks; zsh has one directory for packages, and one for /usr/local.
BINDIR  := $(DESTDIR)$(PREFIX)/bin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man
BASHDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
FISHDIR := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
ZSHDIR  := $(DESTDIR)$(PREFIX)/share/zsh/$(if $(filter /usr/local,$(PREFIX)),site-functions,vendor-completions)

# As root there may be no go: then what "make build man" has left is installed.
install: $(if $(shell command -v $(GO)),build man)
	install -d $(BINDIR) $(MANDIR)/man1 $(MANDIR)/man7 $(BASHDIR) $(FISHDIR) $(ZSHDIR)
	install -m 755 utrace $(BINDIR)/utrace
	for page in out/man/*.[17]; do \
		gzip -9nc $$page | install -m 644 /dev/stdin $(MANDIR)/man$${page##*.}/$${page##*/}.gz || exit 1; done
	./utrace completion bash | install -m 644 /dev/stdin $(BASHDIR)/utrace
	./utrace completion fish | install -m 644 /dev/stdin $(FISHDIR)/utrace.fish
	./utrace completion zsh | install -m 644 /dev/stdin $(ZSHDIR)/_utrace

uninstall:
	rm -f $(BINDIR)/utrace $(MANDIR)/man1/utrace.1.gz $(MANDIR)/man1/utrace-*.1.gz $(MANDIR)/man7/utrace-*.7.gz
	rm -f $(BASHDIR)/utrace $(FISHDIR)/utrace.fish $(ZSHDIR)/_utrace

dist: | have-go
	@cmd/packaging/dist.sh

dist-check: | have-go
	@cmd/packaging/dist.sh >/dev/null && cp dist/SHA256SUMS out/SHA256SUMS.first
	@cmd/packaging/dist.sh >/dev/null && diff out/SHA256SUMS.first dist/SHA256SUMS && echo "both are the same"

# testsummary says at the end which tests were skipped, and why: without root, BPF or one of the programs
# that results are compared with. End-to-end tests run last, one package at a time: many measure time.
# -count=1: go does not see that the program they build has changed, and would show older results.
AS_ROOT   = $(if $(SUDO),$(SUDO) -E env "PATH=$$PATH")
SUMMARIZE = $(GO) build -C testdata/duckdb -o /dev/null . || echo "make $@: no DuckDB: the test that asks it is skipped"; \
	$(AS_ROOT) $(GO) run ./testdata/testsummary

test: | have-go
	@$(SUMMARIZE) "$(GO) test -short -timeout 5m $$($(GO) list ./... | grep -v -e /record/test/ -e '/docs$$') ./testdata/testsummary" \
		"$(GO) test -short -count=1 -timeout 8m -p 1 ./docs ./record/test/..."

test-long: | have-go
	@$(SUMMARIZE) "$(GO) test -timeout 10m $$($(GO) list ./... | grep -v -e /record/test/ -e '/docs$$') ./testdata/testsummary" \
		"$(GO) test -count=1 -timeout 20m -p 1 ./docs ./record/test/..."

test-kernels: | have-go
	testdata/kernels/run.sh out/kernels $(KERNELS)

lint: | have-go
	@test -z "$$(gofmt -l .)" || { echo "not formatted by gofmt:"; gofmt -l .; exit 1; }
	$(GO) vet ./... ./testdata/kernels/check ./testdata/testsummary
	$(GO) vet -tags man ./cmd/utrace
	GOOS=darwin GOARCH=arm64 $(GO) vet ./cmd/utrace ./record ./record/list ./format/... ./analyze/...
	$(GO) tool staticcheck ./... ./testdata/kernels/check ./testdata/testsummary
	$(GO) vet -C cmd/packaging ./...

generate: | have-go
	@for tool in clang-19 llvm-strip-19; do command -v $$tool >/dev/null || \
		{ echo "make generate: no $$tool: apt-get install clang-19 llvm-19 libbpf-dev"; exit 1; }; done
	$(GO) generate ./bpf

page: | have-go
	@command -v npm >/dev/null || { echo "make page: no npm: apt-get install npm"; exit 1; }
	$(GO) generate ./analyze/render/page

# A fuzz run that is cut off by its own end at a bad moment says "context deadline
# exceeded"; one that has found something says where it wrote the input.
fuzz: | have-go
	@log=$$(mktemp); trap 'rm -f $$log' EXIT; \
	for package in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs dirname | sort -u); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep ^Fuzz); do \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package >$$log 2>&1 || \
				grep -q '^    context deadline exceeded$$' $$log || { cat $$log; exit 1; }; \
			echo "$$package $$target: $$(grep execs: $$log | tail -n 1)"; done; done

soak: | have-go
	$(AS_ROOT) env UTRACE_SOAK=$(SOAK) $(GO) test -timeout 3h -v -run TestGoServer ./record/test/process
	$(AS_ROOT) env UTRACE_BYSTANDERS=$(BYSTANDERS) $(GO) test -count=1 -timeout 3h -v -run TestBystanders ./record/test/bystander

causes: | have-go
	$(AS_ROOT) env UTRACE_CAUSES=$(CAUSES) $(GO) test -count=1 -timeout 3h -v -run TestRounds ./record/test/causes

bench-probes: | have-go
	$(AS_ROOT) $(GO) test -run '^$$' -bench BenchmarkProbes -benchtime 1x ./record/test/bench

bench: | have-go
	$(AS_ROOT) $(GO) test -run '^$$' -bench . -benchtime 1x ./...

have-go:
	@command -v $(GO) >/dev/null || { echo "make: no go: install Go 1.26 or newer from https://go.dev/dl"; exit 1; }
.PHONY: have-go
