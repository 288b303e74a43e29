package dashboard

import (
	"html/template"

	"mirrorfleet/producer/view"
)

// limitUse is how much of an egress's limit was used in the last minutes.
type limitUse struct {
	view.Bucket

	Chart template.HTML
	Cells []useCell
}

func useOf(b view.Bucket) limitUse {
	cells := cellsOf(&b)
	return limitUse{b, useChart(b.Egress, &b, cells), cells}
}
