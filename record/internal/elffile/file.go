package elffile

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"sync"

	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
)

var (
	// ErrNotELF means that the file is not an ELF file at all.
	ErrNotELF = errors.New("not an ELF file")
	// ErrUnsupported means an ELF file of an unsupported kind: 32 bits, big-endian, another
	// machine, an object file or a core dump.
	ErrUnsupported = errors.New("unsupported ELF file")
	// ErrMalformed means an ELF file that contradicts itself or is cut short.
	ErrMalformed = errors.New("malformed ELF file")
	// ErrTooLarge means that a part of the file is beyond the limits of this package.
	ErrTooLarge = errors.New("too large")
	// ErrDebugFile means a separate debug file, like those in /usr/lib/debug. It has the headers of
	// the original file, and none of its code.
	ErrDebugFile = errors.New("a separate debug file has no code: name the program or library that it belongs to")
	// ErrNoCode means that an address is in no file-backed part of an executable segment.
	ErrNoCode = errors.New("no code at this address")
)

// Limits on what is read of a file. Large real files (a browser with its symbols) stay a factor of
// ten below them.
const (
	maxSegments     = 512
	maxNameWork     = 256 << 20 // sections × size of the section name table: debug/elf copies each name
	maxSectionNames = 4 << 20
	maxSymtab       = 128 << 20
	maxStrtab       = 1 << 30
	maxNote         = 1 << 20
	maxDynamic      = 1 << 20
	maxString       = 4096
)

// FileOff is an offset in bytes from the start of a file.
type FileOff uint64

// Segment is an executable PT_LOAD segment. The first FileSize bytes of its MemSize bytes come from
// the file.
type Segment struct {
	Addr     abi.Addr
	FileOff  FileOff
	FileSize uint64
	MemSize  uint64
	Writable bool
}

// File is an open ELF executable or shared library: ELF64, little-endian, x86-64 or aarch64. Its
// methods may be called from several goroutines. The slices that they return are shared: do not
// change them.
type File struct {
	Path     string
	Machine  elf.Machine // EM_X86_64 or EM_AARCH64
	Entry    abi.Addr    // 0 in most shared libraries
	BuildID  string      // NT_GNU_BUILD_ID in hexadecimal, "" if there is none
	Interp   string      // the dynamic linker (PT_INTERP), "" in a library or static executable
	Soname   string      // DT_SONAME, may be ""
	Needed   []string    // DT_NEEDED, in order
	RPath    []string    // DT_RPATH split at colons; $ORIGIN is not expanded
	RunPath  []string    // DT_RUNPATH split at colons; $ORIGIN is not expanded
	Segments []Segment   // executable ones, in the order of the file

	NoDefaultLib bool // DF_1_NODEFLIB
	textRelocs   textRelocs
	r            io.ReaderAt
	close        func() error
	size         uint64
	elf          *elf.File
	code         []*elf.Section // the executable sections that hold bytes, by address
	plt          []*elf.Section

	symbols func() (*symbolTable, error)
	imports func() map[string]bool
	funcs   func() (*funcTable, error)
	frames  func() ([]dwarf.Frame, error)
	usdt    func() ([]USDTProbe, error)
	types   func() (*dwarf.Info, error)
	goTypes func() (goTypes, error)
	loadsSP func() (abi.Addr, bool) // see LoadsStackPointer

	relocated func() ([]uint64, bool) // see IsRelocated

	// CachedDebug, unless nil, returns the path of a debug file that may have this build ID, "" if
	// there is none. It is called at most once, after the installed debug files have been looked at.
	CachedDebug func(buildID string) (path string)

	root      string // see OpenAs
	debugDir  string
	installed func() *File // installed debug file, or nil
	debug     func() *File // separate debug file, installed or cached, or nil
	embedded  func() *File // embedded symbol table, or nil
	opened    []*File      // by installed and debug, to be closed

	read struct { // the code that was read last, the newest first
		sync.Mutex
		// Most callers go through functions by address, and through their unlikely parts as well,
		// which are elsewhere.
		blocks [2]codeBlock
	}
}

// codeBlock is code that was read at once.
type codeBlock struct {
	off  FileOff
	code []byte
}

// at returns n bytes of code at off, nil if the block does not contain them all.
func (b codeBlock) at(off FileOff, n uint64) []byte {
	have := uint64(len(b.code))
	if off < b.off || n > have || uint64(off-b.off) > have-n {
		return nil
	}
	from := uint64(off - b.off)
	return b.code[from : from+n : from+n]
}

// Open opens the ELF file at path, which must be a regular file. The errors are those of the file
// system, ErrNotELF, ErrUnsupported, ErrMalformed, ErrTooLarge, and ErrDebugFile for a separate
// debug file. Symbols and line tables are read when first needed.
func Open(path string) (*File, error) { return OpenAs(path, path, "") }

// OpenAs opens the file at path, which may lead through /proc, and calls it name. A separate debug
// file is looked for as if the file were at name: first below the directory root, if that is not
// "", then below /.
func OpenAs(path, name, root string) (*File, error) {
	f, err := openFile(path, name, newFile)
	if err != nil {
		return nil, err
	}
	f.root = root
	return f, nil
}

// openFile opens a regular file and passes it to read, which is to give it the name.
func openFile(path, name string, read func(r io.ReaderAt, size uint64, name string) (*File, error)) (*File, error) {
	h, size, err := openRegular(path)
	if errors.Is(err, ErrNotELF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err != nil {
		return nil, err
	}
	f, err := read(h, size, name)
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.close = h.Close
	return f, nil
}

// readHeaders reads the headers that all ELF files have, including debug files.
func readHeaders(r io.ReaderAt, size uint64, path string) (*File, error) {
	if err := checkHeader(r, size); err != nil {
		return nil, err
	}
	f := &File{Path: path, r: r, size: size, debugDir: debugDir}
	err := catchPanic(func() (err error) {
		f.elf, err = elf.NewFile(r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	f.Machine, f.Entry = f.elf.Machine, abi.Addr(f.elf.Entry)
	return f, nil
}

// newFile reads the headers of an ELF file of size bytes.
func newFile(r io.ReaderAt, size uint64, path string) (*File, error) {
	f, err := readHeaders(r, size, path)
	if err != nil {
		return nil, err
	}
	if f.lacksCode() {
		return nil, ErrDebugFile
	}
	if err := f.readSegments(); err != nil {
		return nil, err
	}
	f.readSections()
	f.readNotes()
	f.readDynamic()
	f.readWhenNeeded()
	return f, nil
}

// readWhenNeeded prepares what is read at the first use.
func (f *File) readWhenNeeded() {
	f.symbols = sync.OnceValues(f.readSymbols)
	f.imports = sync.OnceValue(f.readImports)
	f.funcs = sync.OnceValues(f.readFuncs)
	f.frames = sync.OnceValues(f.readFrames)
	f.usdt = sync.OnceValues(f.readUSDT)
	f.goTypes = sync.OnceValues(f.readGoTypes)
	f.loadsSP = sync.OnceValues(f.findStackLoad)
	f.relocated = sync.OnceValues(f.readRelocated)
	f.types = sync.OnceValues(f.readDebugInfo)
	f.installed = sync.OnceValue(f.openInstalled)
	f.debug = sync.OnceValue(f.openDebug)
	f.embedded = sync.OnceValue(f.readEmbedded)
}

// Close closes the file. Everything that was returned before stays valid.
func (f *File) Close() error {
	for _, d := range f.opened {
		d.Close()
	}
	if f.close == nil {
		return nil
	}
	return f.close()
}

func (f *File) readSegments() error {
	for _, p := range f.elf.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 {
			continue
		}
		if p.Filesz > f.size || p.Off > f.size-p.Filesz {
			return fmt.Errorf("%w: cut short: a segment ends at byte %d of %d", ErrMalformed, p.Off+p.Filesz, f.size)
		}
		if p.Vaddr > math.MaxUint64-p.Memsz {
			return fmt.Errorf("%w: segment at %#x wraps around", ErrMalformed, p.Vaddr)
		}
		f.Segments = append(f.Segments, Segment{
			Addr: abi.Addr(p.Vaddr), FileOff: FileOff(p.Off), FileSize: min(p.Filesz, p.Memsz), MemSize: p.Memsz,
			Writable: p.Flags&elf.PF_W != 0,
		})
	}
	return nil
}

func (f *File) readSections() {
	const execAlloc = elf.SHF_EXECINSTR | elf.SHF_ALLOC
	for _, s := range f.elf.Sections {
		if s.Flags&execAlloc != execAlloc || s.Type == elf.SHT_NOBITS || s.Addr > math.MaxUint64-s.Size {
			continue
		}
		f.code = append(f.code, s)
		switch s.Name {
		case ".plt", ".plt.got", ".plt.sec", ".plt.bnd", ".iplt":
			f.plt = append(f.plt, s)
		}
	}
	sort.Slice(f.code, func(i, j int) bool { return f.code[i].Addr < f.code[j].Addr })
	f.plt = f.plt[:min(len(f.plt), 16)]
}

// FileOff returns the offset in the file of the byte at a, and whether a is in the file-backed part
// of an executable segment.
func (f *File) FileOff(a abi.Addr) (FileOff, bool) {
	for _, s := range f.Segments {
		if a >= s.Addr && uint64(a-s.Addr) < s.FileSize {
			return s.FileOff + FileOff(a-s.Addr), true
		}
	}
	return 0, false
}

// IsWritable reports whether the code at a is in a segment that is writable as well.
func (f *File) IsWritable(a abi.Addr) bool {
	return slices.ContainsFunc(f.Segments, func(s Segment) bool {
		return s.Writable && a >= s.Addr && uint64(a-s.Addr) < s.FileSize
	})
}

// DataOff returns the offset in the file of the byte at a, and whether a is in the file-backed part
// of any loaded segment. Semaphores are in segments of data.
func (f *File) DataOff(a abi.Addr) (FileOff, bool) {
	off, ok := f.loadedOff(uint64(a))
	return FileOff(off), ok && off < f.size
}

// Addr is the inverse of FileOff.
func (f *File) Addr(o FileOff) (abi.Addr, bool) {
	for _, s := range f.Segments {
		if o >= s.FileOff && uint64(o-s.FileOff) < s.FileSize {
			return s.Addr + abi.Addr(o-s.FileOff), true
		}
	}
	return 0, false
}

// InitAddr returns the address of code that runs once, when the file is loaded: the start of
// section .init, or else the entry point.
func (f *File) InitAddr() (abi.Addr, bool) {
	a := f.Entry
	if s := f.elf.Section(".init"); s != nil && s.Size > 0 {
		a = abi.Addr(s.Addr)
	}
	_, ok := f.FileOff(a)
	return a, ok && a != 0
}

// room returns the number of file-backed bytes from a to the end of its executable segment, 0 if a
// is in none.
func (f *File) room(a abi.Addr) uint64 {
	for _, s := range f.Segments {
		if a >= s.Addr && uint64(a-s.Addr) < s.FileSize {
			return s.FileSize - uint64(a-s.Addr)
		}
	}
	return 0
}

const blockSize = 16 << 10 // bytes of code read at once

// Code reads n bytes of machine code at a. The error is ErrNoCode if they are not all in one
// executable segment, ErrTooLarge above 4 MiB, or an error of reading.
func (f *File) Code(a abi.Addr, n uint64) ([]byte, error) {
	off, ok := f.FileOff(a)
	if !ok || n > f.room(a) {
		return nil, fmt.Errorf("%d bytes at %#x: %w", n, uint64(a), ErrNoCode)
	}
	if n > maxFuncSize {
		return nil, fmt.Errorf("%d bytes of code at %#x: %w", n, uint64(a), ErrTooLarge)
	}
	f.read.Lock()
	defer f.read.Unlock()
	blocks := &f.read.blocks
	if code := blocks[0].at(off, n); code != nil {
		return code, nil
	}
	blocks[0], blocks[1] = blocks[1], blocks[0]
	if code := blocks[0].at(off, n); code != nil {
		return code, nil
	}
	b := make([]byte, min(max(n, blockSize), f.room(a)))
	if _, err := f.r.ReadAt(b, int64(off)); err != nil {
		return nil, fmt.Errorf("read code at %#x: %w", uint64(a), err)
	}
	blocks[0] = codeBlock{off, b}
	return blocks[0].at(off, n), nil
}

// Compressed debug information is 3 to 6 times as large when expanded. A section may expand to
// maxExpansion times the bytes that it has in the file, or to minExpanded bytes if that is more.
const (
	maxExpansion = 64
	minExpanded  = 1 << 20
)

// sectionData reads a whole section, decompressed. The error is ErrTooLarge if it has more than
// limit bytes, or if it expands too much.
func (f *File) sectionData(s *elf.Section, limit uint64) (b []byte, err error) {
	if s.Type == elf.SHT_NOBITS {
		return nil, fmt.Errorf("section %s: no bytes in the file", s.Name)
	}
	if s.Size > limit || s.FileSize > limit {
		return nil, fmt.Errorf("section %s of %d bytes: %w", s.Name, s.Size, ErrTooLarge)
	}
	if s.Flags&elf.SHF_COMPRESSED == 0 {
		if s.Offset > f.size || s.Size > f.size-s.Offset {
			return nil, fmt.Errorf("%w: section %s is cut short", ErrMalformed, s.Name)
		}
		if b = f.readAt(s.Offset, s.Size); uint64(len(b)) < s.Size {
			return nil, fmt.Errorf("read section %s: %w", s.Name, io.ErrUnexpectedEOF)
		}
		return b, nil
	}

	if s.Size > max(minExpanded, maxExpansion*min(s.FileSize, f.size)) {
		return nil, fmt.Errorf("compressed section %s of %d bytes: %w", s.Name, s.Size, ErrTooLarge)
	}
	err = catchPanic(func() (err error) {
		b, err = s.Data()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: section %s: %w", ErrMalformed, s.Name, err)
	}
	return b, nil
}

// catchPanic turns a panic of a library that reads foreign bytes into an error.
func catchPanic(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return read()
}

// loadedOff returns the file offset of an address in any PT_LOAD segment, executable or not.
func (f *File) loadedOff(addr uint64) (uint64, bool) {
	for _, p := range f.elf.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			return p.Off + (addr - p.Vaddr), true
		}
	}
	return 0, false
}

// readAt reads up to n bytes, fewer at the end of the file. The caller limits n.
func (f *File) readAt(off, n uint64) []byte {
	if off >= f.size {
		return nil
	}
	b := make([]byte, min(n, f.size-off))
	got, err := f.r.ReadAt(b, int64(off))
	if err != nil && err != io.EOF {
		return nil
	}
	return b[:got]
}
