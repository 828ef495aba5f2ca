// Package timeline has the times of the calls of a trace, with limited memory: when calls began
// (Arrivals), and which calls went on meanwhile (Periods). Both become coarser when there are many.
package timeline
