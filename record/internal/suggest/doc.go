// Package suggest finds the name that a person probably meant, for error messages.
package suggest
