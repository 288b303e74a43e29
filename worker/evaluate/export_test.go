package evaluate

// What judges a files answer.
type Counted = counted

var (
	Settle        = settle
	Inconsistency = inconsistency
	AnsweredBy    = answeredBy
)
