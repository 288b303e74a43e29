package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/broadcast"
)

const (
	// renderEvery is how often the regions of a round are rendered while somebody looks.
	renderEvery = time.Second
	// standsEvery is how often at most the failures of a round are read again while jobs end,
	// and ordersEvery how often the orders to cancel are: each time costs a few reads of NATS.
	standsEvery = 5 * time.Second
	ordersEvery = 15 * time.Second
	// lingers is how long a round is still followed when nobody looks at it any more. The
	// page and its updates are two requests, and a hidden tab comes back.
	lingers = 10 * time.Second
	// maxStreams is how many browsers get updates at once, of all rounds together. They are
	// beside the hub's viewers, of which a round takes one here for all of its browsers. So
	// whoever serves the pages has connections for as many streams of each kind.
	maxStreams = view.MaxViewers
)

// errStreams says that there is no room for another browser.
var errStreams = fmt.Errorf("%d browsers follow rounds, and there is no room for more", maxStreams)

// shows are the rounds at which somebody looks. Each is read and rendered once for everybody.
type shows struct {
	d    *Dashboard
	ctx  context.Context //nolint:containedctx // the life of what follows rounds, which outlasts the request that began it
	quit context.CancelFunc
	wait sync.WaitGroup

	lingers time.Duration
	mu      sync.Mutex
	byRound map[string]*show
	streams int
}

func newShows(d *Dashboard) *shows {
	ctx, quit := context.WithCancel(context.Background())
	return &shows{
		d:       d,
		ctx:     ctx,
		quit:    quit,
		lingers: lingers,
		byRound: map[string]*show{},
	}
}

// close ends all streams and what follows rounds, and waits for them.
func (all *shows) close() {
	all.mu.Lock() // whoever has entered before is counted by wait
	all.quit()
	all.mu.Unlock()
	all.wait.Wait()
}

// enter begins to look at a round, or joins those who do, and waits until the round was seen.
// The caller leaves it.
func (all *shows) enter(ctx context.Context, name string) (*show, error) {
	all.mu.Lock()
	if all.ctx.Err() != nil {
		all.mu.Unlock()
		return nil, view.ErrHubClosed
	}
	s := all.byRound[name]
	if s == nil {
		s = &show{
			all:   all,
			round: name,
			epoch: strconv.FormatInt(time.Now().UnixNano(), 36),
			begun: make(chan struct{}),
		}
		all.byRound[name] = s
		all.wait.Go(s.follow)
	}
	s.lookers++
	all.mu.Unlock()
	select {
	case <-s.begun:
	case <-ctx.Done():
		s.leave()
		return nil, fmt.Errorf("beginning to follow round %s: %w", name, context.Cause(ctx))
	}
	if _, err := s.last(); err != nil && !errors.Is(err, io.EOF) {
		s.leave()
		return nil, err
	}
	return s, nil
}

// has says whether somebody looks at a round that runs, or has just looked.
func (all *shows) has(name string) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byRound[name] != nil
}

// stream counts a browser that gets updates, which close waits for. done is for its end.
func (all *shows) stream() (done func(), err error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	switch {
	case all.ctx.Err() != nil:
		return nil, view.ErrHubClosed
	case all.streams >= maxStreams:
		return nil, errStreams
	}
	all.streams++
	all.wait.Add(1)
	return func() {
		all.mu.Lock()
		all.streams--
		all.mu.Unlock()
		all.wait.Done()
	}, nil
}

// show is a round at which somebody looks, or has just looked.
type show struct {
	all     *shows
	round   string
	epoch   string // tells versions of different shows apart
	lookers int    // guarded by all
	left    time.Time

	begun   chan struct{} // closed when the round was seen, or is over
	changed broadcast.Signal

	mu      sync.Mutex
	seen    *seen
	regions []region
	version int // of what has changed last
	over    error
	news    news
}

// region is a part of the page that is replaced by itself.
type region struct {
	html    string
	data    []byte // as it is sent
	version int    // the show's when it changed last
	at      time.Time
}

// news is what those get who have one version, encoded once for all of them.
type news struct {
	from, to int
	data     []byte
}

// leave ends looking.
func (s *show) leave() {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.lookers--
	s.left = time.Now()
}

// deserted says that nobody has looked for a while, and lets nobody else in if so.
func (s *show) deserted(now time.Time) bool {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if s.lookers > 0 || now.Sub(s.left) < s.all.lingers {
		return false
	}
	s.shutLocked()
	return true
}

// shutLocked lets whoever comes now begin anew: the round may be replayed.
func (s *show) shutLocked() {
	if s.all.byRound[s.round] == s {
		delete(s.all.byRound, s.round)
	}
}

// follow looks at the round until it has ended, or nobody looks any more.
func (s *show) follow() {
	err := s.look(s.all.ctx)
	if err != nil && !errors.Is(err, io.EOF) && s.all.ctx.Err() == nil && !view.NotThere(err) {
		s.all.d.cfg.Log.Warn("a round can no longer be followed for the dashboard", "round", s.round, "error", err)
	}
	s.all.mu.Lock()
	s.shutLocked()
	s.all.mu.Unlock()
	s.mu.Lock()
	first := s.seen == nil
	s.over = err
	s.mu.Unlock()
	if first {
		close(s.begun)
	}
	s.changed.Send()
}

// look follows the round and renders what has changed. It returns io.EOF when the round has
// ended, and nil when nobody looks any more.
func (s *show) look(ctx context.Context) error {
	sight, err := s.all.d.beginSight(ctx, s.round)
	if err != nil {
		return err
	}
	defer sight.close()
	tick := time.NewTicker(renderEvery)
	defer tick.Stop()
	for {
		now := time.Now()
		seen, err := sight.see(ctx, now)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if renderErr := s.render(seen, now); renderErr != nil {
			return renderErr
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("following round %s: %w", s.round, context.Cause(ctx))
		}
		if s.deserted(time.Now()) {
			return nil
		}
	}
}

// render renders the regions that are due, and tells everybody if one has changed.
func (s *show) render(seen *seen, now time.Time) error {
	// What is relative to now moves on by itself in the browser. It is rendered for one
	// instant here, or every region would change with every second.
	body := s.all.d.runningBody(seen, now)
	body.Now = seen.Began
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.seen == nil
	if first {
		s.regions = make([]region, len(liveRegions))
	}
	changed := false
	for i, of := range liveRegions {
		r := &s.regions[i]
		if !first && now.Sub(r.at) < of.every {
			continue
		}
		html, err := s.all.d.part("running", of.id, body)
		if err != nil {
			return err
		}
		if r.at = now; html == r.html {
			continue
		}
		if r.data, err = encoded(of.id, html); err != nil {
			return err
		}
		r.html, r.version = html, s.version+1
		changed = true
	}
	s.seen = seen
	if changed {
		s.version++
		s.changed.Send()
	}
	if first {
		close(s.begun)
	}
	return nil
}

// encoded is a region as a member of a JSON object, in one line.
func encoded(id, html string) ([]byte, error) {
	var out bytes.Buffer
	encode := json.NewEncoder(&out)
	encode.SetEscapeHTML(false) // it is no part of a page, and six bytes for each < are many
	if err := encode.Encode(map[string]string{id: html}); err != nil {
		return nil, fmt.Errorf("encoding %s: %w", id, err)
	}
	return bytes.Trim(out.Bytes(), "{}\n"), nil
}

// last is the round as it was seen last, and why it is not followed any more.
func (s *show) last() (*seen, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.over
}

// tag names a version of the regions, for one who comes back.
func (s *show) tag(version int) string { return fmt.Sprintf("%s-%d", s.epoch, version) }

// versionIn is the version that a tag names; 0 if it is of another show.
func (s *show) versionIn(tag string) int {
	var version int
	if _, err := fmt.Sscanf(tag, s.epoch+"-%d", &version); err != nil || version < 0 {
		return 0
	}
	return version
}

// latest is the current version, for a page that shows it.
func (s *show) latest() (seen *seen, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.version
}

// after is the event that brings somebody up to date who has a version: each region that has
// changed since, as it is now. It is nil if nothing has. over is why nothing more comes.
func (s *show) after(version int) (event []byte, now int, over error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version == s.version {
		return nil, version, s.over
	}
	if s.news.to != s.version || s.news.from != version || s.news.data == nil {
		s.news = news{version, s.version, s.eventLocked(version)}
	}
	return s.news.data, s.version, s.over
}

func (s *show) eventLocked(version int) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "id: %s\nevent: regions\ndata: {", s.tag(s.version))
	first := true
	for _, r := range s.regions {
		if r.version <= version {
			continue
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.Write(r.data)
	}
	out.WriteString("}\n\n")
	return out.Bytes()
}
