package format

import (
	"reflect"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// TestArrowReadsIt reads the file by its footer with Arrow's own reader.
func TestArrowReadsIt(t *testing.T) {
	r, err := ipc.NewFileReader(fromText(t, example))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if v, _ := r.Schema().Metadata().GetValue("utrace.version"); v != "1" {
		t.Errorf("version %q", v)
	}
	kinds := map[uint8]int{}
	timeNs := map[uint32]uint64{}
	for i := range r.NumRecords() {
		rec, err := r.Record(i)
		if err != nil {
			t.Fatal(err)
		}
		for row := range int(rec.NumRows()) {
			kinds[rec.Column(3).(*array.Uint8).Value(row)]++
			timeNs[rec.Column(1).(*array.Uint32).Value(row)] += uint64(rec.Column(0).(*array.Uint32).Value(row))
		}
	}
	want := map[uint8]int{0: 5, 1: 2, 2: 1, 3: 1, 4: 4, 5: 3, 6: 1, 7: 1, 8: 1, 11: 1, 12: 1, 16: 1, 17: 3, 18: 1, 19: 2, 20: 1, 21: 1, 22: 1, 26: 2, 27: 1, 28: 1, 29: 1}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
	if want := map[uint32]uint64{0: 300, 1: 20000000300}; !reflect.DeepEqual(timeNs, want) {
		t.Errorf("sums of delta_ns %v, want %v", timeNs, want)
	}
}
