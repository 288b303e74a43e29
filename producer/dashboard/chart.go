package dashboard

import (
	"fmt"
	"html/template"
	"strings"
)

// Charts are drawn here, as SVG. Colours are classes of the style sheet; a chart has a label
// that says what it shows, and stands beside a table with the same figures.

// drawing collects an SVG of a width and a height in its own units.
type drawing struct {
	strings.Builder
}

// draw begins a drawing that is as wide as its place.
func draw(class, label string, width, height float64) *drawing {
	d := &drawing{}
	fmt.Fprintf(d, `<svg class="%s" role="img" aria-label="%s" viewBox="0 0 %s %s" preserveAspectRatio="none">`,
		class, template.HTMLEscapeString(label), unit(width), unit(height))
	return d
}

func (d *drawing) rect(class string, x, y, width, height float64, title string) {
	fmt.Fprintf(d, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"`,
		class, unit(x), unit(y), unit(max(width, 0)), unit(max(height, 0)))
	if title == "" {
		_, _ = d.WriteString("/>") // it never fails
		return
	}
	fmt.Fprintf(d, `><title>%s</title></rect>`, template.HTMLEscapeString(title))
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, unit(x1), unit(y1), unit(x2), unit(y2))
}

func (d *drawing) html() template.HTML {
	_, _ = d.WriteString("</svg>")   // it never fails
	return template.HTML(d.String()) //nolint:gosec // numbers, classes of ours and escaped titles
}

// unit writes a coordinate.
func unit(x float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", x), "0"), ".")
}

// bar is one bar of a small chart: its height, its class, and its title.
type bar struct {
	value float64
	class string
	title string
}

// bars draws a row of bars, the highest as high as the chart. A value of 0 leaves a mark on
// the ground line.
func bars(label string, all []bar) template.HTML {
	const (
		step   = 10
		gap    = 2
		height = 40
	)
	top := 0.0
	for _, b := range all {
		top = max(top, b.value)
	}
	d := draw("bars", label, max(float64(len(all))*step-gap, step), height)
	for i, b := range all {
		tall := 1.0
		if top > 0 {
			tall = max(tall, b.value/top*height)
		}
		d.rect(b.class, float64(i)*step, height-tall, step-gap, tall, b.title)
	}
	return d.html()
}

// portion is one part of a bar that shows a whole.
type portion struct {
	class string
	part  float64
	title string
}

// stacked draws a whole and its portions, side by side.
func stacked(label string, whole float64, portions ...portion) template.HTML {
	const width, height = 100, 8
	d := draw("stacked", label, width, height)
	d.rect("rest", 0, 0, width, height, "")
	x := 0.0
	for _, p := range portions {
		if whole > 0 && p.part > 0 {
			wide := min(p.part/whole*width, width-x)
			d.rect(p.class, x, 0, wide, height, p.title)
			x += wide
		}
	}
	return d.html()
}
