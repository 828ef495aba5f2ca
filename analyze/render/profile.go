package render

import "github.com/google/pprof/profile"

// Profile writes a profile to path, gzipped, as File does.
func Profile(path string, p *profile.Profile) error { return File(path, p.Write) }
