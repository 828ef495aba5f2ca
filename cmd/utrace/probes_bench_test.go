//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// BenchmarkProbes measures what a call costs a program while its entry and
// return are probed, by how the function begins: nothing attached (alone), an empty program at the
// site that utrace chooses (floor), utrace recording, and bpftrace counting.
func BenchmarkProbes(b *testing.B) {
	needKernel(b)
	bin := target(b, "sites.c", "-O1")
	const seconds = "2"
	for _, fn := range []string{"begins_push", "begins_endbr64", "begins_nop5", "begins_mov"} {
		run := func(b *testing.B, name string, args ...string) float64 {
			b.Helper()
			out, err := exec.Command(name, args...).Output()
			if err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			ns := regexp.MustCompile(`(?m)^[0-9]+\.[0-9]$`).FindString(string(out))
			v, err := strconv.ParseFloat(ns, 64)
			if err != nil {
				b.Fatalf("%s prints %q", name, out)
			}
			return v
		}
		report := func(b *testing.B, ns func() float64) {
			for b.Loop() {
				b.ReportMetric(ns(), "ns/call")
			}
			b.ReportMetric(0, "ns/op")
		}
		b.Run(fn+"/alone", func(b *testing.B) { report(b, func() float64 { return run(b, bin, fn, seconds) }) })
		b.Run(fn+"/floor", func(b *testing.B) {
			detach := attachEmpty(b, bin, fn)
			defer detach()
			report(b, func() float64 { return run(b, bin, fn, seconds) })
		})
		b.Run(fn+"/utrace", func(b *testing.B) {
			trace := filepath.Join(b.TempDir(), "trace.arrow")
			report(b, func() float64 {
				return run(b, utracePath, "record", "--no-follow", "-e", fn, "-o", trace, "--", bin, fn, seconds)
			})
		})
		b.Run(fn+"/bpftrace", func(b *testing.B) {
			needTool(b, "bpftrace")
			report(b, func() float64 {
				probe := exec.Command("bpftrace", "-e", "uprobe:"+bin+":"+fn+" { @e = count(); } uretprobe:"+bin+":"+fn+" { @r = count(); }")
				if err := probe.Start(); err != nil {
					b.Fatal(err)
				}
				defer probe.Wait()
				defer probe.Process.Kill()
				time.Sleep(2 * time.Second) // until it has attached
				return run(b, bin, fn, seconds)
			})
		})
	}
}

// attachEmpty attaches a program that does nothing, at the place and in the way that
// utrace plan says.
func attachEmpty(b *testing.B, bin, fn string) (detach func()) {
	b.Helper()
	stdout, stderr, status := utrace(b, "plan", "--no-follow", "-e", fn, bin)
	row := regexp.MustCompile(`(?m)^0x([0-9a-f]+) \+(\d+) .*uretprobe +` + fn).FindStringSubmatch(stdout)
	if status != 0 || row == nil {
		b.Fatalf("plan: %s%s", stdout, stderr)
	}
	addr, _ := strconv.ParseUint(row[1], 16, 64)
	site, _ := strconv.ParseUint(row[2], 10, 64)
	ex, err := link.OpenExecutable(bin)
	if err != nil {
		b.Fatal(err)
	}
	var links []link.Link
	for _, multi := range []func([]string, *ebpf.Program, *link.UprobeMultiOptions) (link.Link, error){ex.UprobeMulti, ex.UretprobeMulti} {
		empty, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		})
		if err != nil {
			b.Fatal(err)
		}
		// A position-independent program has its code at the same offset as its address.
		l, err := multi(nil, empty, &link.UprobeMultiOptions{Addresses: []uint64{addr + site}})
		if err != nil {
			b.Fatal(err)
		}
		links = append(links, l)
	}
	return func() {
		for _, l := range links {
			l.Close()
		}
	}
}
