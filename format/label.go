package format

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of Meta.Labels.
const (
	maxLabels          = 32
	maxLabelKeyBytes   = 63
	maxLabelValueBytes = 255
)

// CheckLabels checks the labels of a recording, see Meta.Labels. The error names the first label, by
// key, that is not allowed.
func CheckLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return fmt.Errorf("%d labels: want at most %d", len(labels), maxLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if err := checkLabelKey(key); err != nil {
			return fmt.Errorf("label %q: %w", key, err)
		}
		if err := checkLabelValue(labels[key]); err != nil {
			return fmt.Errorf("label %s: %w", key, err)
		}
	}
	return nil
}

func checkLabelKey(key string) error {
	isLetter := func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
	switch {
	case key == "":
		return errors.New("the key is empty")
	case len(key) > maxLabelKeyBytes:
		return fmt.Errorf("the key has %d bytes: want at most %d", len(key), maxLabelKeyBytes)
	case !isLetter(key[0]):
		return errors.New("a key begins with a letter")
	}
	for i := range len(key) {
		if c := key[i]; !isLetter(c) && (c < '0' || c > '9') && !strings.ContainsRune("_.-/", rune(c)) {
			return errors.New("a key has letters, digits, and _ . - / only")
		}
	}
	return nil
}

func checkLabelValue(value string) error {
	switch {
	case len(value) > maxLabelValueBytes:
		return fmt.Errorf("the value has %d bytes: want at most %d", len(value), maxLabelValueBytes)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return !strconv.IsPrint(r) }):
		return errors.New("the value has characters that are not printable")
	}
	return nil
}
