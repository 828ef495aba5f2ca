package format

import (
	"bytes"
	"strings"
	"testing"
)

// example has a row of every kind.
const example = `
meta {"recorder":"test","host":"h","kernel":"6.18","arch":"amd64","args":["utrace"],"cpus":2,"ring_bytes":4096,"start":{"mono_ns":5,"wall_ns":7}}
module {"path":"/bin/prog","build_id":"abcd","segments":[{"addr":4096,"file_off":4096,"size":100}]}
func {"name":"main","module":0,"addr":4096,"file":"main.c","line":3}
func {"name":"ns::work","symbol":"_ZN2ns4workEi","module":0,"addr":4112}
func {"name":"main+0x4","module":0,"addr":4100,"hit":true}
process {"pid":10,"comm":"prog","args":["prog","-x"],"cgroup":"/system.slice/web.service","unit":"web.service","container":"web","pod":"prod/shop"}
thread {"pid":10,"tid":10,"comm":"prog"}
thread {"pid":10,"tid":11,"comm":"worker"}
left-out {"name":"_start","module":"/bin/prog","addr":4000,"reason":"entry point"}
100 0 entry 0 sp=0x7ffe00001000
150 0 hit 2 sp=0x7ffe00001000
200 0 entry 1 sp=0x7ffe00000f00 cpu=1
210 0 tail-entry 1 sp=0x7ffe00000f00 cpu=1
120 1 entry 1 sp=0x7f0000001000
220 0 sched-out 0 value=0x1 cpu=1
240 0 wakeup 0 value=0x10000000b
250 0 sched-in 0 cpu=1
260 0 sample 0 value=0x2 cpu=1
300 0 return 1 sp=0x7ffe00000f00 value=0xffffffffffffffff cpu=1
flush
loss {"cpu":1,"first_ns":400,"last_ns":500,"entries":3,"returns":2,"sched":4}
probe-set {"funcs":[2]}
window {"set":0,"from_ns":100,"to_ns":600,"off_ns":650,"cpu_ns":400,"all":true}
survey {"module":0,"funcs":3,"cpu_ns":4000,"cost_ns":200}
20000000000 1 return 1 sp=0x7f0000001000 value=0x7
20000000100 1 entry 1 sp=0x55d000000000
20000000200 1 entry 1 value=0x2
20000000300 1 exit 0 value=1 args=["ls"]
flush
stack {"func":0,"addr":4105,"line":4}
stack {"func":1,"addr":4120,"outer":1}
end {"stop":{"mono_ns":30000000005,"wall_ns":30000000007},"reason":"test","events":0,"entries":0,"lost":5,"func_lost":[{"func":1,"entries":3,"returns":2}]}
`

func fromText(t testing.TB, text string) *bytes.Reader {
	t.Helper()
	f := &memFile{}
	if err := ReadText(strings.NewReader(text), f); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(f.Bytes())
}

func toText(t testing.TB, src *bytes.Reader) string {
	t.Helper()
	r, err := NewReader(src, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteText(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
