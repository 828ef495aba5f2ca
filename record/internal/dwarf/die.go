package dwarf

import (
	"utrace/record/internal/cursor"
)

// dieRef refers to a DIE of .debug_info or .debug_types: its unit and its offset in the section.
// The zero value refers to none. As a type it means void.
type dieRef struct {
	unit *infoUnit
	off  uint64
}

// die is a debugging information entry, as far as functions, parameters and types need it.
type die struct {
	dieRef
	tag      uint64
	body     uint64 // offset after the attributes, where the first child would be
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
	hasMemberOff, computedOff           bool // computedOff: the expression is not a constant

	location, frameBase, constBlock []byte
	hasLocation, hasConst           bool
	list                            uint64 // offset of the location list in its section
	hasList                         bool
	constant                        int64
	signedConst                     bool // the form of the constant has a sign

	encoding, convention, goKind, lowPC         uint64
	hasLowPC                                    bool
	artificial, declaration, external, result   bool
	vector, embedded, optimised, classSignature bool
	defaulted                                   bool // or deleted: a special member function that the source does not contain
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
	case attrLocation:
		d.readLocation(c, e, a)
	case attrConstValue:
		e.readConstant(c, a)
	case attrLowPC:
		e.lowPC, e.hasLowPC = u.address(c, a, d.data)
	case attrFrameBase:
		if isBlock(a) {
			e.frameBase = u.block(c, a)
		} else {
			u.value(c, a)
		}
	case attrMemberLocation:
		if isBlock(a) {
			e.memberOff, e.computedOff = plusConstant(u.block(c, a))
		} else {
			e.memberOff = u.value(c, a)
		}
		e.hasMemberOff = true
	default:
		e.setNumber(a, u.value(c, a))
	}
}

// readConstant reads the value of a parameter or an enumerator.
//
// The forms data1 to data8 have no sign of their own (DWARF 5, 7.5.5), and are read without one.
// GCC 12.2 writes 200 as data1 0xc8, even for an int, and negative numbers in forms with a sign.
// The sign of a form need not be that of the type: GCC writes (unsigned)-1 as sdata -1. So callers
// cut the constant to the size of its type.
func (e *die) readConstant(c *cursor.Cursor, a attrForm) {
	u := e.unit
	e.hasConst = true
	switch {
	case isBlock(a), a.form == formData16:
		e.constBlock = u.block(c, a)
	default:
		e.constant = int64(u.value(c, a))
		e.signedConst = a.form == formSdata || a.form == formImplicitConst && e.constant < 0
	}
}

// readLocation reads the location of a parameter: an expression or the offset of a list.
func (d *Info) readLocation(c *cursor.Cursor, e *die, a attrForm) {
	u := e.unit
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
}

// setNumber takes the value of an attribute that is a number or a flag. v is 0 for an expression.
func (e *die) setNumber(a attrForm, v uint64) {
	switch a.attr {
	case attrByteSize:
		e.byteSize, e.hasSize = v, !isBlock(a)
	case attrBitSize:
		e.bitSize = v
	case attrDataBitOffset:
		e.bitOffset, e.hasBitOffset = v, true
	case attrAlignment:
		e.align = v
	case attrCount:
		e.count, e.hasCount = v, isConstant(a)
	case attrUpperBound:
		e.count, e.hasCount = countFromBound(a, v), isConstant(a)
	case attrEncoding:
		e.encoding = v
	case attrCallingConv:
		e.convention = v
	case attrGoKind:
		e.goKind = v
	case attrArtificial:
		e.artificial = v != 0
	case attrDeclaration:
		e.declaration = v != 0
	case attrExternal:
		e.external = v != 0
	case attrVariableParam:
		e.result = v != 0
	case attrDefaulted:
		e.defaulted = v == 1 // in the class
	case attrDeleted:
		e.defaulted = v != 0
	case attrGNUVector:
		e.vector = v != 0
	case attrGoEmbeddedField:
		e.embedded = v != 0
	case attrCallAllCalls, attrGNUAllCallSites, attrGNUAllTailCalls:
		e.optimised = v != 0 // compilers describe calls only where they optimise
	}
}

// countFromBound returns the number of elements of an array whose last index is v. All ones mean an
// array without elements.
func countFromBound(a attrForm, v uint64) uint64 {
	v++
	if a.form == formData1 && v == 1<<8 || a.form == formData2 && v == 1<<16 || a.form == formData4 && v == 1<<32 {
		return 0
	}
	return v
}

// reference reads a reference to another DIE. It is zero if the DIE is in another file or in no
// unit.
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

// block reads the value of a block, an expression or a constant of 16 bytes. It is nil for another
// form.
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
	case formData16:
		n = 16
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

// isConstant reports whether the value of an attribute is a number, not an expression or another
// DIE.
func isConstant(a attrForm) bool {
	switch a.form {
	case formData1, formData2, formData4, formData8, formSdata, formUdata, formImplicitConst:
		return true
	}
	return false
}

// plusConstant reads DW_OP_plus_uconst N, which old compilers write for the offset of a member.
// computed reports whether it is another expression.
func plusConstant(expr []byte) (off uint64, computed bool) {
	c := cursor.Cursor{Bytes: expr}
	if c.Byte() != opPlusUconst {
		return 0, true
	}
	off = c.Uleb()
	return off, c.Bad || c.Left() > 0
}
