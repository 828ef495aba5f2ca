package dwarf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

// typeUnit builds a unit of C with one function, at 0x1000. It has one parameter and a result, both
// of the type at the label "t".
type typeUnit struct {
	b      []byte
	labels map[string]int
	refs   map[int]string // where an offset is to be put
}

var typeAbbrevs = []byte{
	1, tagCompileUnit, 1, attrLanguage, formData1, attrLowPC, formAddr, attrHighPC, formData4, 0, 0,
	2, tagSubprogram, 1, attrLowPC, formAddr, attrType, formRef4, 0, 0,
	3, tagFormalParameter, 0, attrType, formRef4, 0, 0,
	4, tagTypedef, 0, attrType, formRef4, 0, 0,
	5, tagPointerType, 0, attrType, formRef4, 0, 0,
	6, tagStructure, 1, attrByteSize, formData1, 0, 0,
	7, tagMember, 0, attrName, formString, attrType, formRef4, attrMemberLocation, formData1, 0, 0,
	8, tagArrayType, 1, attrType, formRef4, 0, 0,
	9, tagSubrange, 0, attrCount, formUdata, 0, 0,
	10, tagBaseType, 0, attrByteSize, formData1, attrEncoding, formData1, 0, 0,
	11, tagEnumerationType, 1, attrByteSize, formData1, 0, 0,
	12, tagEnumerator, 0, attrName, formString, attrConstValue, formData1, 0, 0,
	13, tagStructure, 0, attrSignature, formRef4, 0, 0,
	14, tagMember, 0, attrName, formString, attrType, formRef4, attrMemberLocation, formSdata, 0, 0,
	15, tagMember, 0, attrName, formString, attrType, formRef4, attrMemberLocation, formData8, 0, 0,
	0,
}

func newTypeUnit(language byte) *typeUnit {
	u := &typeUnit{labels: map[string]int{}, refs: map[int]string{}}
	u.bytes(0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8)
	u.bytes(1, language, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0)
	u.bytes(2, 0, 0x10, 0, 0, 0, 0, 0, 0).ref("t").bytes(3).ref("t").bytes(0)
	return u
}

func (u *typeUnit) bytes(b ...byte) *typeUnit { u.b = append(u.b, b...); return u }

func (u *typeUnit) label(name string) *typeUnit { u.labels[name] = len(u.b); return u }

func (u *typeUnit) ref(name string) *typeUnit {
	u.refs[len(u.b)] = name
	return u.bytes(0, 0, 0, 0)
}

func (u *typeUnit) data() *Sections {
	u.bytes(0)
	binary.LittleEndian.PutUint32(u.b, uint32(len(u.b)-4))
	for at, name := range u.refs {
		binary.LittleEndian.PutUint32(u.b[at:], uint32(u.labels[name]))
	}
	return &Sections{Info: u.b, Abbrev: typeAbbrevs}
}

// hostileType is a type that no compiler writes, and the expected result.
type hostileType struct {
	name string
	unit *typeUnit
	kind ValueKind
	why  string
}

func hostileTypes() []hostileType {
	const c, cpp = 0x0c, 0x04
	chain := func(n int) *typeUnit {
		u := newTypeUnit(c).label("t")
		for i := range n {
			name := "t" + decimal(uint64(i))
			u.bytes(4).ref(name).label(name)
		}
		return u.bytes(10, 4, encSigned)
	}
	// Each struct contains the next one twice: 2^n parts.
	tree := func(language byte, n int) *typeUnit {
		u := newTypeUnit(language).label("t")
		for i := range n {
			next := "t" + decimal(uint64(i))
			u.bytes(6, 16, 7, 'a', 0).ref(next).bytes(0, 7, 'b', 0).ref(next).bytes(0, 0).label(next)
		}
		return u.bytes(10, 4, encSigned)
	}
	// Each struct contains the next one 4096 times, and the last is empty. No member can be
	// recorded, however many are looked at.
	empty := newTypeUnit(c).label("t")
	for _, inner := range []string{"b", "c", "d"} {
		empty.bytes(6, 16)
		for range maxMembers {
			empty.bytes(7, 'a', 0).ref(inner).bytes(0)
		}
		empty.bytes(0).label(inner)
	}
	empty.bytes(6, 16, 0)
	wide := newTypeUnit(c).label("t").bytes(6, 16)
	for range 500_000 {
		wide.bytes(7, 'a', 0).ref("t").bytes(0)
	}
	// A struct of 8 bytes with a number that ends where the struct begins: the offset of its end
	// overflows to 0.
	before := func(language, abbrev byte, off ...byte) *typeUnit {
		u := newTypeUnit(language).label("t").bytes(6, 8, abbrev, 'a', 0).ref("long").bytes(off...).bytes(0)
		return u.label("long").bytes(10, 8, encSigned)
	}
	const data8 = 15
	minus8 := []byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	names := newTypeUnit(c).label("t").bytes(11, 4)
	for range 500_000 {
		names.bytes(12, 'E', 0, 1)
	}
	return []hostileType{
		{"a typedef of itself", newTypeUnit(c).label("t").bytes(4).ref("t"), Unknown, "its type is too deep"},
		{"a long chain of typedefs", chain(100_000), Unknown, "its type is too deep"},
		{"a short chain of typedefs", chain(20), Int, ""},
		{"a pointer to itself", newTypeUnit(c).label("t").bytes(5).ref("t"), Pointer, ""},
		{"a struct in itself", newTypeUnit(c).label("t").bytes(6, 16, 7, 'a', 0).ref("t").bytes(0, 0), Aggregate, ""},
		{"a tree of structs", tree(c, 14), Aggregate, ""},
		{"a deep tree of structs", tree(cpp, 40), Aggregate, ""},
		{"a tree of structs of Rust", tree(languageRust, 40), Aggregate, ""},
		{"a tree of structs of Go", tree(languageGo, 40), Aggregate, ""},
		{"an array of itself", newTypeUnit(c).label("t").bytes(8).ref("t").bytes(9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0), Aggregate, ""},
		{"an array of 2^56", newTypeUnit(c).label("t").bytes(8).ref("n").bytes(9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0).label("n").bytes(10, 4, encSigned), Aggregate, ""},
		{"a declaration of itself", newTypeUnit(c).label("t").bytes(13).ref("t"), Unknown, "its type is too deep"},
		{"no end of members without members", empty, Aggregate, ""},
		{"no end of members", wide, Aggregate, ""},
		{"no end of enumerators", names, Enum, ""},
		{"a number of 200 bytes", newTypeUnit(c).label("t").bytes(10, 200, encSigned), Int, "it is a number of 200 bytes; 1, 2, 4 and 8 can be read"},
		{"a type outside of the unit", newTypeUnit(c), Unknown, "it has no type"},
		{"a member before its struct, sdata", before(c, 14, 0x78), Aggregate, ""},
		{"a member before its struct, data8", before(c, data8, minus8...), Aggregate, ""},
		{"a member before its struct in C++", before(cpp, data8, minus8...), Aggregate, ""},
		{"a member before its struct in Go", before(languageGo, data8, minus8...), Aggregate, ""},
		{"a member before its struct in Rust", before(languageRust, data8, minus8...), Aggregate, ""},
	}
}

func TestHostileTypes(t *testing.T) {
	for _, h := range hostileTypes() {
		for _, machine := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64} {
			start := time.Now()
			d := New(h.unit.data(), machine)
			fn := Function{Addr: 0x1000, Name: "f"}
			s, err := d.Signature(fn, 0x1000)
			if err == nil && len(s.Params) == 1 {
				if v := s.Params[0]; v.Kind != h.kind || !strings.HasPrefix(v.Why, h.why) {
					t.Errorf("%s: %v %q, want %v %q", h.name, v.Kind, v.Why, h.kind, h.why)
				}
			} else if err == nil || h.kind != Aggregate { // too large
				t.Errorf("%s: %+v, %v", h.name, s, err)
			}
			readSignature(t, d, fn)
			if took := time.Since(start); took > maxFuzzTime {
				t.Errorf("%s: took %v", h.name, took)
			} else {
				t.Logf("%s: %v", h.name, took)
			}
		}
	}
}

// The names of types, with the namespaces around them, take a limited amount of memory.
func TestHostileDefinitions(t *testing.T) {
	const cpp, namespace, structure = 0x04, 2, 3
	abbrevs := []byte{
		1, tagCompileUnit, 1, attrLanguage, formData1, 0, 0,
		namespace, tagNamespace, 1, attrName, formStrp, 0, 0,
		structure, tagStructure, 0, attrName, formStrp, 0, 0,
		0,
	}
	const length, texts = 4000, 20
	var str []byte
	for i := range texts { // each has as many texts as bytes, by where it is begun
		str = append(append(str, bytes.Repeat([]byte{byte('a' + i)}, length)...), 0)
	}
	name := func(b []byte, abbrev byte, at int) []byte {
		return binary.LittleEndian.AppendUint32(append(b, abbrev), uint32(at))
	}
	for _, c := range []struct {
		name             string
		scopes, maxBytes int
	}{
		{"long names", 0, maxDefinitionBytes},
		{"names in a namespace with a long name", 1, maxDefinitionBytes},
		{"names in namespaces with long names", 31, 0},
	} {
		dies := []byte{1, cpp}
		for range c.scopes {
			dies = name(dies, namespace, 0)
		}
		for at := range str {
			dies = name(dies, structure, at)
		}
		dies = append(dies, make([]byte, c.scopes+1)...)
		d := New(&Sections{Info: unitOf(dies), Abbrev: abbrevs, Str: str}, elf.EM_X86_64)
		total := 0
		for key := range d.definitions() {
			total += len(key.name)
		}
		if total > c.maxBytes || c.maxBytes > 0 && total == 0 {
			t.Errorf("%s: %d bytes, want %d at most", c.name, total, c.maxBytes)
		}
		t.Logf("%s: %d bytes", c.name, total)
	}
}
