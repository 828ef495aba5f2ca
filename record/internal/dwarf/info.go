package dwarf

import (
	"debug/elf"
	"sort"
	"sync"

	"utrace/record/internal/abi"
	"utrace/record/internal/cursor"
)

// Limits on what is read of types.
const (
	maxUnitRanges = 4 << 20 // entries of all range lists
	maxTypeUnits  = 1 << 20
	maxWalk       = 1 << 18 // DIEs read for one question
	maxSameRange  = 64      // units that claim one address
)

// Info is the indexed debugging information of a file: which unit has the code at an address, and
// where the type with a signature is. It keeps all sections in memory and reads types on demand.
// Its methods may be called from several goroutines.
type Info struct {
	data      *Sections
	machine   elf.Machine
	units     []*infoUnit // of .debug_info, by offset
	ranges    []unitRange // by start
	typeUnits map[uint64]dieRef
	abbrevs   abbrevTables
	entries   int // of range lists that have been read

	definitions func() map[definitionKey]dieRef
}

// unitRange is code of a unit: addresses from start up to end. reach is the greatest end of this
// and all earlier ranges, in the order of starts.
type unitRange struct {
	start, end, reach uint64
	unit              *infoUnit
}

// infoUnit is a unit, with the attributes of its first DIE that other DIEs need.
type infoUnit struct {
	unit
	section      []byte // .debug_info or .debug_types
	table        *abbrevs
	firstDIE     uint64
	language     uint64
	producer     string
	dwo          string // of a skeleton unit: the file with the rest
	loclistsBase uint64

	once      sync.Once
	functions []functionDIE // by address
	optimised bool          // a variable moves while a function runs
}

// functionDIE is a subprogram whose code begins at addr.
type functionDIE struct {
	addr abi.Addr
	off  uint64
}

// New reads the header and the first DIE of each unit. It stops at a malformed unit.
func New(data *Sections, machine elf.Machine) *Info {
	d := &Info{data: data, machine: machine, typeUnits: map[uint64]dieRef{}}
	d.definitions = sync.OnceValue(d.readDefinitions)
	d.readUnits(data.Types)
	d.readUnits(data.Info)
	sort.SliceStable(d.ranges, func(i, j int) bool { return d.ranges[i].start < d.ranges[j].start })
	reach := uint64(0)
	for i := range d.ranges {
		reach = max(reach, d.ranges[i].end)
		d.ranges[i].reach = reach
	}
	return d
}

func (d *Info) readUnits(section []byte) {
	c := &cursor.Cursor{Bytes: section}
	for units := 0; c.Left() > 0 && units < maxUnits; units++ {
		h, abbrevOff, types, err := parseUnit(c)
		if err != nil {
			return
		}
		u := &infoUnit{unit: h, section: section, table: d.abbrevs.at(d.data.Abbrev, abbrevOff)}
		isTypes := len(d.data.Types) > 0 && len(section) > 0 && &section[0] == &d.data.Types[0]
		if types || isTypes { // next come the signature of the type and its offset in the unit
			signature, off := c.Uint(8), u.start+c.Uint(u.offSize)
			if len(d.typeUnits) < maxTypeUnits {
				d.typeUnits[signature] = dieRef{u, off}
			}
		}
		if c.Off > u.end { // its header is longer than the unit
			return
		}
		u.firstDIE = c.Off
		if u.table != nil && c.Off < u.end {
			d.readRoot(u)
		}
		if !isTypes {
			d.units = append(d.units, u)
		}
		c.Off = u.end
	}
}

// readRoot reads the first DIE of a unit, and its address ranges.
func (d *Info) readRoot(u *infoUnit) {
	if u.version >= 5 {
		u.loclistsBase = 12 // default: after the header of .debug_loclists
	}
	c := cursor.Cursor{Bytes: u.section[:u.end], Off: u.firstDIE}
	ab := u.table.find(c.Uleb())
	if ab == nil {
		return
	}
	first := c.Off
	for _, a := range ab.attrs {
		switch v := u.value(&c, a); a.attr {
		case attrLoclistsBase:
			u.loclistsBase = v
		case attrLanguage:
			u.language = v
		default:
			u.setBase(a.attr, v)
		}
	}

	// Read again: an indexed string or address needs the base, which may come after it.
	c = cursor.Cursor{Bytes: c.Bytes, Off: first}
	var ranges, high uint64
	var rangesForm uint16
	highIsLength, hasLow := false, false
	for _, a := range ab.attrs {
		switch a.attr {
		case attrProducer:
			u.producer = string(u.text(&c, a, d.data))
		case attrDwoName, attrGNUDwoName:
			u.dwo = string(u.text(&c, a, d.data))
		case attrLowPC:
			u.lowPC, hasLow = u.address(&c, a, d.data)
		case attrHighPC:
			if isConstant(a) {
				high, highIsLength = u.value(&c, a), true
			} else {
				high, _ = u.address(&c, a, d.data)
			}
		case attrRanges:
			rangesForm = a.form
			ranges = u.value(&c, a)
		default:
			u.value(&c, a)
		}
	}

	switch {
	case c.Bad:
	case rangesForm != 0:
		d.readRanges(u, rangesForm, ranges)
	case hasLow && highIsLength:
		d.addRange(u, u.lowPC, u.lowPC+high)
	case hasLow:
		d.addRange(u, u.lowPC, high)
	}
}

// readRanges reads the range list of a unit.
func (d *Info) readRanges(u *infoUnit, form uint16, value uint64) {
	c := cursor.Cursor{Bytes: d.data.Ranges, Off: value}
	if u.version >= 5 {
		if form == formRnglistx {
			value = u.rnglistsBase + u.indexed(d.data.Rnglists, u.rnglistsBase, value, u.offSize)
		}
		c = cursor.Cursor{Bytes: d.data.Rnglists, Off: value}
	}
	if value > uint64(len(c.Bytes)) {
		return
	}
	base := u.lowPC
	for ; d.entries < maxUnitRanges; d.entries++ {
		start, end, isRange, last := u.rangeEntry(&c, d.data, &base)
		if last || c.Bad {
			return
		}
		if isRange {
			d.addRange(u, start, end)
		}
	}
}

// addRange notes code of a unit. Linkers put 0 or -1 at the start of code that they left out.
func (d *Info) addRange(u *infoUnit, start, end uint64) {
	if start != 0 && start < end && len(d.ranges) < maxUnitRanges {
		d.ranges = append(d.ranges, unitRange{start: start, end: end, unit: u})
	}
}

// unitAt returns the unit of .debug_info that contains an offset, nil if there is none.
func (d *Info) unitAt(off uint64) *infoUnit {
	i := sort.Search(len(d.units), func(i int) bool { return d.units[i].end > off })
	if i == len(d.units) || off < d.units[i].firstDIE {
		return nil
	}
	return d.units[i]
}

// functionDIEs returns the DIEs of the function whose code begins at a. dwo is the file that has
// them instead, "" if there is none.
func (d *Info) functionDIEs(a abi.Addr) (found []dieRef, dwo string) {
	seen := map[*infoUnit]bool{}
	for i := sort.Search(len(d.ranges), func(i int) bool { return d.ranges[i].start > uint64(a) }) - 1; i >= 0; i-- {
		r := d.ranges[i]
		if r.reach <= uint64(a) || len(seen) == maxSameRange {
			break
		}
		if r.end <= uint64(a) || seen[r.unit] {
			continue
		}
		seen[r.unit] = true
		if r.unit.dwo != "" {
			dwo = r.unit.dwo
		}
		r.unit.once.Do(func() { d.readFunctions(r.unit) })
		list := r.unit.functions
		for j := sort.Search(len(list), func(j int) bool { return list[j].addr >= a }); j < len(list) && list[j].addr == a && len(found) < 8; j++ {
			found = append(found, dieRef{r.unit, list[j].off})
		}
	}
	return found, dwo
}

// readFunctions walks all DIEs of a unit, once, and notes the subprograms with code.
func (d *Info) readFunctions(u *infoUnit) {
	c := cursor.Cursor{Bytes: u.section[:u.end], Off: u.firstDIE}
	attrs := uint64(0)
	for c.Left() > 0 {
		at := c.Off
		code := c.Uleb()
		if code == 0 {
			continue
		}
		ab := u.table.find(code)
		if ab == nil || attrs > maxDensity*(u.end-u.start)+1024 {
			break
		}
		attrs += uint64(len(ab.attrs)) + 1
		var starts []uint64
		for _, a := range ab.attrs {
			switch {
			case a.attr == attrLowPC && ab.tag == tagSubprogram:
				if addr, ok := u.address(&c, a, d.data); ok {
					starts = append(starts, addr)
				}
			case a.attr == attrRanges && ab.tag == tagSubprogram:
				starts = u.rangeStarts(d.data, uint64(a.form), u.value(&c, a), starts)
			case a.attr == attrLocation && !isBlock(a):
				u.optimised = true
				u.value(&c, a)
			default:
				u.value(&c, a)
			}
		}
		if c.Bad {
			break
		}
		if len(starts) > 0 && starts[0] != 0 {
			// The first part is the one that is entered. Compilers list parts that they moved out
			// of line after it.
			u.functions = append(u.functions, functionDIE{abi.Addr(starts[0]), at})
		}
	}

	sort.SliceStable(u.functions, func(i, j int) bool { return u.functions[i].addr < u.functions[j].addr })
}
