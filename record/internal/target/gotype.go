package target

import "errors"

// GoTypeName is
func (f *File) GoTypeName(addr Addr) (string, error) { return "", errors.New("todo") }
