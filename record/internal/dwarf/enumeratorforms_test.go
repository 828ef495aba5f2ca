package dwarf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
	"testing"
)

// constantForm is a number of 8 bytes in a form that can hold it.
type constantForm struct {
	name   string
	form   byte
	number int64
	bytes  []byte // of the enumerator, or of its abbreviation if that has the constant
	signed bool   // the form itself says that the number is signed
}

func constantForms() []constantForm {
	const all = -1
	return []constantForm{
		{"data1", formData1, 0x7f, []byte{0x7f}, false},
		{"data1", formData1, 0xff, []byte{0xff}, false},
		{"data2", formData2, 0xff, []byte{0xff, 0}, false},
		{"data2", formData2, 0xffff, []byte{0xff, 0xff}, false},
		{"data4", formData4, 0x8000, []byte{0, 0x80, 0, 0}, false},
		{"data4", formData4, 0xffffffff, []byte{0xff, 0xff, 0xff, 0xff}, false},
		{"data8", formData8, 0x80000000, []byte{0, 0, 0, 0x80, 0, 0, 0, 0}, false},
		{"data8", formData8, all, bytes.Repeat([]byte{0xff}, 8), false},
		{"udata", formUdata, 0xff, []byte{0xff, 1}, false},
		{"udata", formUdata, all, append(bytes.Repeat([]byte{0xff}, 9), 1), false},
		{"sdata", formSdata, 0xff, []byte{0xff, 1}, true},
		{"sdata", formSdata, -128, []byte{0x80, 0x7f}, true},
		{"sdata", formSdata, all, []byte{0x7f}, true},
		{"implicit_const", formImplicitConst, 0xff, []byte{0xff, 1}, false},
		{"implicit_const", formImplicitConst, all, []byte{0x7f}, true},
		{"block1", formBlock1, 0xffff, []byte{2, 0xff, 0xff}, false},
		{"block1", formBlock1, all, append([]byte{8}, bytes.Repeat([]byte{0xff}, 8)...), false},
	}
}

// signSource is what in the debug information says whether an enumeration is signed.
type signSource int

const (
	signByType signSource = iota
	signByEncoding
	signByConstants
)

// parameter returns the only parameter of the function in a type unit.
func (u *typeUnit) parameter(t *testing.T, abbrevs []byte) Value {
	t.Helper()
	data := u.data()
	data.Abbrev = abbrevs
	s, err := New(data, elf.EM_X86_64).Signature(Function{Addr: 0x1000, Name: "f"}, 0x1000)
	if err != nil || len(s.Params) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	return s.Params[0]
}

// oneEnumerator returns a parameter of an enumeration with one constant.
func oneEnumerator(t *testing.T, f constantForm, size, encoding byte, sign signSource) Value {
	t.Helper()
	const withType, withEncoding, bare, enumerator = 20, 21, 22, 23
	abbrevs := append(bytes.Clone(typeAbbrevs[:len(typeAbbrevs)-1]),
		withType, tagEnumerationType, 1, attrByteSize, formData1, attrType, formRef4, 0, 0,
		withEncoding, tagEnumerationType, 1, attrByteSize, formData1, attrEncoding, formData1, 0, 0,
		bare, tagEnumerationType, 1, attrByteSize, formData1, 0, 0,
		enumerator, tagEnumerator, 0, attrName, formString, attrConstValue, f.form)

	u := newTypeUnit(0x0c).label("t")
	switch sign {
	case signByType:
		u.bytes(withType, size).ref("base")
	case signByEncoding:
		u.bytes(withEncoding, size, encoding)
	case signByConstants:
		u.bytes(bare, size)
	}
	u.bytes(enumerator, 'E', 0)
	if f.form == formImplicitConst {
		abbrevs = append(abbrevs, f.bytes...)
	} else {
		u.bytes(f.bytes...)
	}
	u.bytes(0).label("base").bytes(10, size, encoding)
	return u.parameter(t, append(abbrevs, 0, 0, 0))
}

// TestEnumeratorForms: a constant has the same number in each form that can hold it, for each size
// and sign of the enumeration, wherever the sign is written.
func TestEnumeratorForms(t *testing.T) {
	const encUnsigned = 0x07
	for _, f := range constantForms() {
		for _, size := range []byte{1, 2, 4, 8} {
			for _, encoding := range []byte{encSigned, encSignedChar, encUnsigned, encUnsignedChar, encBoolean} {
				for sign := signByType; sign <= signByConstants; sign++ {
					signed := isSigned(uint64(encoding))
					if sign == signByConstants {
						signed = f.signed
					}
					v := oneEnumerator(t, f, size, encoding, sign)
					want := []Enumerator{{throughMemory(f.number, size, signed), "E"}}
					if !slices.Equal(v.Enum, want) || v.At.Signed != signed || v.At.Size != size {
						t.Errorf("%s %#x of %d bytes, encoding %d, sign by %d: %v (size %d, signed %v), want %v (signed %v)",
							f.name, f.number, size, encoding, sign, v.Enum, v.At.Size, v.At.Signed, want, signed)
					}
				}
			}
		}
	}
}

// TestWideEnumerators: constants of more than 8 bytes are left out, and do not hide those behind
// them. An enumeration of that size is not fetched.
func TestWideEnumerators(t *testing.T) {
	const enumerator, wide16, wideBlock = 20, 21, 22
	abbrevs := append(bytes.Clone(typeAbbrevs[:len(typeAbbrevs)-1]),
		enumerator, tagEnumerator, 0, attrName, formString, attrConstValue, formData1, 0, 0,
		wide16, tagEnumerator, 0, attrName, formString, attrConstValue, formData16, 0, 0,
		wideBlock, tagEnumerator, 0, attrName, formString, attrConstValue, formBlock1, 0, 0, 0)
	number := bytes.Repeat([]byte{1}, 16)
	for _, size := range []byte{8, 16} {
		u := newTypeUnit(0x0c).label("t").bytes(11, size, enumerator, 'A', 0, 0xff)
		u.bytes(wide16, 'B', 0).bytes(number...).bytes(enumerator, 'C', 0, 1)
		u.bytes(wideBlock, 'D', 0, 16).bytes(number...).bytes(enumerator, 'E', 0, 2, 0)
		v := u.parameter(t, abbrevs)
		if want := []Enumerator{{0xff, "A"}, {1, "C"}, {2, "E"}}; !slices.Equal(v.Enum, want) || v.Kind != Enum || (v.Why == "") != (size == 8) {
			t.Errorf("%d bytes: %v %q, %v, want %v", size, v.Kind, v.Why, v.Enum, want)
		}
	}
}

// throughMemory returns a number after it was stored in size bytes and loaded again.
func throughMemory(n int64, size byte, signed bool) int64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	switch {
	case size == 1 && signed:
		return int64(int8(b[0]))
	case size == 1:
		return int64(b[0])
	case size == 2 && signed:
		return int64(int16(binary.LittleEndian.Uint16(b[:])))
	case size == 2:
		return int64(binary.LittleEndian.Uint16(b[:]))
	case size == 4 && signed:
		return int64(int32(binary.LittleEndian.Uint32(b[:])))
	case size == 4:
		return int64(binary.LittleEndian.Uint32(b[:]))
	}
	return n
}
