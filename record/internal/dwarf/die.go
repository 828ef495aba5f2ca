package dwarf

import (
	"utrace/record/internal/cursor"
)

// More numbers of the DWARF standard: what describes functions, their parameters and types.
const (
	tagArrayType         = 0x01
	tagEnumerationType   = 0x04
	tagFormalParameter   = 0x05
	tagMember            = 0x0d
	tagPointerType       = 0x0f
	tagReferenceType     = 0x10
	tagSubroutineType    = 0x15
	tagTypedef           = 0x16
	tagInheritance       = 0x1c
	tagPtrToMember       = 0x1f
	tagSubrange          = 0x21
	tagBaseType          = 0x24
	tagConstType         = 0x26
	tagEnumerator        = 0x28
	tagTemplateTypeParam = 0x2f
	tagVariantPart       = 0x33
	tagVolatileType      = 0x35
	tagUnspecifiedType   = 0x3b
	tagRestrictType      = 0x37
	tagRvalueReference   = 0x42
	tagAtomicType        = 0x47
	tagParameterPack     = 0x4107 // GNU
)

// Attributes of those.
const (
	attrLocation        = 0x02
	attrByteSize        = 0x0b
	attrBitOffset       = 0x0c
	attrBitSize         = 0x0d
	attrHighPC          = 0x12
	attrLanguage        = 0x13
	attrConstValue      = 0x1c
	attrProducer        = 0x25
	attrUpperBound      = 0x2f
	attrArtificial      = 0x34
	attrCallingConv     = 0x36
	attrCount           = 0x37
	attrMemberLocation  = 0x38
	attrDeclaration     = 0x3c
	attrEncoding        = 0x3e
	attrExternal        = 0x3f
	attrFrameBase       = 0x40
	attrType            = 0x49
	attrVariableParam   = 0x4b
	attrSignature       = 0x69
	attrDataBitOffset   = 0x6b
	attrDwoName         = 0x76
	attrCallAllCalls    = 0x7a
	attrAlignment       = 0x88
	attrLoclistsBase    = 0x8c
	attrDeleted         = 0x8a
	attrDefaulted       = 0x8b
	attrGNUVector       = 0x2107
	attrGNUAllTailCalls = 0x2116
	attrGNUAllCallSites = 0x2117
	attrGNUDwoName      = 0x2130
	attrGoKind          = 0x2900
	attrGoEmbeddedField = 0x2903
)

// Values of DW_AT_encoding, DW_AT_calling_convention and DW_AT_language.
const (
	encBoolean      = 0x02
	encComplexFloat = 0x03
	encFloat        = 0x04
	encSigned       = 0x05
	encSignedChar   = 0x06
	encUnsignedChar = 0x08
	encUTF          = 0x10

	callNoCall          = 3
	callPassByReference = 4
	callPassByValue     = 5

	languageGo        = 0x16
	languageRust      = 0x1c
	languageAssembler = 0x8001
)

// dieRef is a DIE of .debug_info or .debug_types: its unit and its offset in the section. The zero value is no DIE, which as a type
// means void.
type dieRef struct {
	unit *infoUnit
	off  uint64
}

// die is what functions, parameters and types need of a debugging information entry.
type die struct {
	dieRef
	tag      uint64
	body     uint64 // offset behind the attributes: of the first child, if there are children
	children bool
	sibling  uint64 // 0 if the entry does not say

	name, linkage []byte
	typ           dieRef
	origin        dieRef // DW_AT_abstract_origin or DW_AT_specification
	outside       bool   // a reference leads to another file (dwz)

	byteSize, bitSize, bitOffset, align uint64
	hasSize, hasBitOffset               bool
	count                               uint64 // of a subrange: elements
	hasCount                            bool
	memberOff                           uint64
	hasMemberOff, computedOff           bool // computedOff: by an expression that is not a constant

	location, frameBase, constBlock []byte
	hasLocation, hasConst           bool
	list                            uint64 // offset of the location list in its section
	hasList                         bool
	constant                        int64

	encoding, convention, goKind, lowPC         uint64
	hasLowPC                                    bool
	artificial, declaration, external, result   bool
	vector, embedded, optimised, classSignature bool
	defaulted                                   bool // or deleted: a special member function that nobody has written
}

// readDIE reads the entry at ref. ok is false if there is none or it is malformed.
func (d *Info) readDIE(ref dieRef) (e die, ok bool) {
	u := ref.unit
	if u == nil || ref.off < u.firstDIE || ref.off >= u.end {
		return die{}, false
	}
	c := cursor.Cursor{Bytes: u.section[:u.end], Off: ref.off}
	ab := u.table.find(c.Uleb())
	if ab == nil || c.Bad {
		return die{}, false
	}
	e = die{dieRef: ref, tag: ab.tag, children: ab.children}
	for _, a := range ab.attrs {
		d.readAttr(&c, &e, a)
	}
	e.body = c.Off
	return e, !c.Bad
}

// readAttr reads one attribute into e.
func (d *Info) readAttr(c *cursor.Cursor, e *die, a attrForm) {
	u := e.unit
	switch a.attr {
	case attrSibling:
		e.sibling = u.value(c, a)
	case attrName:
		e.name = u.text(c, a, d.data)
	case attrLinkageName, attrMIPSLinkageName:
		e.linkage = u.text(c, a, d.data)
	case attrType:
		e.typ = d.reference(c, e, a)
	case attrAbstractOrigin, attrSpecification:
		e.origin = d.reference(c, e, a)
	case attrSignature:
		e.origin = d.reference(c, e, a)
		e.classSignature = true
	case attrByteSize:
		e.hasSize = !isBlock(a)
		e.byteSize = u.value(c, a)
	case attrBitSize:
		e.bitSize = u.value(c, a)
	case attrDataBitOffset:
		e.bitOffset, e.hasBitOffset = u.value(c, a), true
	case attrAlignment:
		e.align = u.value(c, a)
	case attrCount, attrUpperBound:
		constant := isConstant(a)
		v := u.value(c, a)
		if a.attr == attrUpperBound {
			v++ // all ones, of an array without elements, become 0
			if a.form == formData1 && v == 1<<8 || a.form == formData2 && v == 1<<16 || a.form == formData4 && v == 1<<32 {
				v = 0
			}
		}
		e.count, e.hasCount = v, constant
	case attrMemberLocation:
		if isBlock(a) {
			e.memberOff, e.computedOff = plusConstant(u.block(c, a))
		} else {
			e.memberOff = u.value(c, a)
		}
		e.hasMemberOff = true
	case attrLocation:
		e.hasLocation = true
		switch {
		case isBlock(a):
			e.location = u.block(c, a)
		case a.form == formLoclistx:
			i := u.value(c, a)
			e.list, e.hasList = u.loclistsBase+u.indexed(d.data.Loclists, u.loclistsBase, i, u.offSize), true
		default:
			e.list, e.hasList = u.value(c, a), true
		}
	case attrFrameBase:
		if isBlock(a) {
			e.frameBase = u.block(c, a)
		} else {
			u.value(c, a)
		}
	case attrConstValue:
		e.hasConst = true
		if isBlock(a) {
			e.constBlock = u.block(c, a)
		} else {
			e.constant = signedConstant(a, u.value(c, a))
		}
	case attrEncoding:
		e.encoding = u.value(c, a)
	case attrCallingConv:
		e.convention = u.value(c, a)
	case attrGoKind:
		e.goKind = u.value(c, a)
	case attrLowPC:
		e.lowPC, e.hasLowPC = u.address(c, a, d.data)
	case attrArtificial:
		e.artificial = u.value(c, a) != 0
	case attrDeclaration:
		e.declaration = u.value(c, a) != 0
	case attrExternal:
		e.external = u.value(c, a) != 0
	case attrVariableParam:
		e.result = u.value(c, a) != 0
	case attrDefaulted:
		e.defaulted = u.value(c, a) == 1 // in the class
	case attrDeleted:
		e.defaulted = u.value(c, a) != 0
	case attrGNUVector:
		e.vector = u.value(c, a) != 0
	case attrGoEmbeddedField:
		e.embedded = u.value(c, a) != 0
	case attrCallAllCalls, attrGNUAllCallSites, attrGNUAllTailCalls:
		e.optimised = u.value(c, a) != 0 // compilers describe calls only where they optimise
	default:
		u.value(c, a)
	}
}

// reference reads a reference to another DIE; it is zero if that is in another file or in no unit.
func (d *Info) reference(c *cursor.Cursor, e *die, a attrForm) dieRef {
	v := e.unit.value(c, a)
	switch a.form {
	case formRef1, formRef2, formRef4, formRef8, formRefUdata:
		if v >= e.unit.firstDIE && v < e.unit.end {
			return dieRef{e.unit, v}
		}
	case formRefAddr:
		if u := d.unitAt(v); u != nil {
			return dieRef{u, v}
		}
	case formRefSig8:
		return d.typeUnits[v]
	default:
		e.outside = true
	}
	return dieRef{}
}

// block reads the value of a block or expression; nil for another form.
func (u *unit) block(c *cursor.Cursor, a attrForm) []byte {
	var n uint64
	switch a.form {
	case formBlock1:
		n = c.Uint(1)
	case formBlock2:
		n = c.Uint(2)
	case formBlock4:
		n = c.Uint(4)
	case formBlock, formExprloc:
		n = c.Uleb()
	default:
		u.value(c, a)
		return nil
	}
	start := c.Off
	if c.Skip(n); c.Bad {
		return nil
	}
	return c.Bytes[start:c.Off]
}

func isBlock(a attrForm) bool {
	switch a.form {
	case formBlock1, formBlock2, formBlock4, formBlock, formExprloc:
		return true
	}
	return false
}

// isConstant says that the value of an attribute is a number, not an expression and not that of another DIE.
func isConstant(a attrForm) bool {
	switch a.form {
	case formData1, formData2, formData4, formData8, formSdata, formUdata, formImplicitConst:
		return true
	}
	return false
}

// signedConstant extends a constant of fixed size by its sign: compilers write negative ones so, and those who read mask them to
// the size of the type.
func signedConstant(a attrForm, v uint64) int64 {
	switch a.form {
	case formData1:
		return int64(int8(v))
	case formData2:
		return int64(int16(v))
	case formData4:
		return int64(int32(v))
	}
	return int64(v)
}

// plusConstant reads DW_OP_plus_uconst N, as old compilers write the offset of a member; other expressions are computed.
func plusConstant(expr []byte) (off uint64, computed bool) {
	c := cursor.Cursor{Bytes: expr}
	if c.Byte() != opPlusUconst {
		return 0, true
	}
	off = c.Uleb()
	return off, c.Bad || c.Left() > 0
}

// children calls fn for each child of e, until it returns false. The entries below the children are passed over. It ends early if the
// budget of the walk is used up.
func (w *walk) children(e die, fn func(child die) bool) {
	if !e.children {
		return
	}
	u := e.unit
	for off := e.body; off < u.end; {
		if u.section[off] == 0 { // the end of the list, as an abbreviation code of one byte
			return
		}
		child, ok := w.readDIE(dieRef{u, off})
		if !ok || !w.spend(1) || !fn(child) {
			return
		}
		if off, ok = w.behind(child); !ok {
			return
		}
	}
}

// behind returns the offset of what follows e and all that is below it.
func (w *walk) behind(e die) (uint64, bool) {
	switch {
	case !e.children:
		return e.body, true
	case e.sibling > e.body && e.sibling < e.unit.end:
		return e.sibling, true
	}
	u := e.unit
	c := cursor.Cursor{Bytes: u.section[:u.end], Off: e.body}
	for depth := 1; depth > 0; {
		code := c.Uleb()
		if code == 0 {
			depth--
		} else {
			ab := u.table.find(code)
			if ab == nil || !w.spend(1) {
				return 0, false
			}
			for _, a := range ab.attrs {
				u.value(&c, a)
			}
			if ab.children {
				depth++
			}
		}
		if c.Bad {
			return 0, false
		}
	}
	return c.Off, true
}
