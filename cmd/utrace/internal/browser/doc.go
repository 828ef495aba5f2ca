// Package browser shows a trace in a full-screen browser in a terminal.
//
// A tab is a document with a cursor: functions, tree, flow, slowest calls, or facts. A document
// knows its lines, but neither keys nor the screen; the browser moves the cursor, scrolls, searches
// and draws. Enter may lay a further document on a tab, such as the distribution of a function.
//
// # Background
//
// The browser is on the screen before the trace is read. Documents come from jobs, which are passes
// over the trace in goroutines of their own. A job shares nothing with the browser. Its result is a
// function that the browser calls in its own goroutine, between two events. The last line says how
// far a job is.
//
// The flow of a trace does not fit into memory, and it is only known by a pass from the front. So a
// page of it is kept, and another is read when the cursor leaves it. The first pass goes on to the
// end, to count the lines. A search is a pass of its own.
//
// # Keys
//
// Keys are those of less for moving and searching, and those of uftrace tui for folding the tree,
// sorting and switching views. Where both use a key differently, less wins: g, G, f, d and ?. In
// the tree, u goes to the caller, as in uftrace tui.
//
// # Terminal
//
// github.com/gdamore/tcell draws. It was compared with rivo/tview, which is built on it, and with
// charmbracelet/bubbletea. All are well kept. Documents are long, and a few lines are visible, but
// the tables and viewports of tview and bubbletea want all lines at once. tcell brings 3 further
// modules, bubbletea 13. Its simulated screen takes keys and shows cells in tests, without a
// terminal. And it draws cells, not text: a name in a trace cannot reach the terminal as an escape
// sequence, even if analyze let one pass.
package browser
