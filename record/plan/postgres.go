//go:build linux

package plan

import (
	"fmt"

	"utrace/record/internal/image"
	"utrace/record/internal/proc"
)

// postgresProblem says what cannot be recorded of a PostgreSQL server if only its first process is
// probed. Its children run the queries.
func postgresProblem(sc *Scope, img *image.Image) string {
	if sc.PID == 0 || sc.follow || img != sc.Program || !hasUSDT(img.File, literalUSDT("postgresql", "query__start")) {
		return ""
	}
	if kids := proc.Children(sc.PID); len(kids) > 0 {
		return fmt.Sprintf("process %d is the postmaster, which runs no queries; its %d children do: follow them, or record every process", sc.PID, len(kids))
	}
	return ""
}
