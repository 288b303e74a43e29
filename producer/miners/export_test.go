package miners

import "time"

// Hold makes everybody wait, as an answer does.
func Hold(g *GitHub, d time.Duration) time.Duration { return g.hold(d) }
