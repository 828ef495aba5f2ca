package dwarf

// Tags and attributes of the DWARF standard, version 5, section 7: those of units, scopes and
// functions.
const (
	tagClass             = 0x02
	tagEntryPoint        = 0x03
	tagCompileUnit       = 0x11
	tagStructure         = 0x13
	tagUnion             = 0x17
	tagModule            = 0x1e
	tagSubprogram        = 0x2e
	tagInterface         = 0x38
	tagNamespace         = 0x39
	tagPartialUnit       = 0x3c
	tagSkeletonUnit      = 0x4a
	tagInlinedSubroutine = 0x1d
	attrSibling          = 0x01
	attrName             = 0x03
	attrInline           = 0x20
	attrLinkageName      = 0x6e
	attrMIPSLinkageName  = 0x2007 // before DWARF 4
	attrStmtList         = 0x10
	attrLowPC            = 0x11
	attrCompDir          = 0x1b
	attrAbstractOrigin   = 0x31
	attrRanges           = 0x55
	attrRnglistsBase     = 0x74
	attrDeclFile         = 0x3a
	attrDeclLine         = 0x3b
	attrSpecification    = 0x47
	attrStrOffsetsBase   = 0x72
	attrAddrBase         = 0x73
)

// Tags of parameters and types.
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

// Attributes of parameters, types and locations.
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
