package analyze

// Helpers of tests, for those outside of this package.
var (
	WriteCalls  = writeCalls
	BenchEvents = benchEvents
	CPUSeconds  = cpuSeconds
)
