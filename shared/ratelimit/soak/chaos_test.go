package soak_test

import (
	"math/rand/v2"
	"slices"
	"time"
)

// act is something that happens to a fleet.
type act string

const (
	killWorker  act = "a worker is killed, another starts"
	stopWorker  act = "a worker is stopped for 3 s"
	killRedis   act = "Redis is killed"
	startRedis  act = "Redis comes back, empty"
	slowRedis   act = "the way to Redis is slow"
	steadyRedis act = "the way to Redis is quick"
	cutRedis    act = "the way to Redis is cut"
	mendRedis   act = "the way to Redis is mended"
	slowNATS    act = "the way to NATS is slow"
	steadyNATS  act = "the way to NATS is quick"
	cutNATS     act = "the way to NATS is cut"
	mendNATS    act = "the way to NATS is mended"
)

// scene is an act at its time.
type scene struct {
	at  time.Duration
	act act
}

// play draws what happens in length: a worker is killed every few seconds; in each
// eighth of the time one other trouble begins and, but for workers, ends again.
// All six come in turn, each once in the first six eighths.
func play(seed uint64, length time.Duration) []scene {
	random := rand.New(rand.NewPCG(seed, 1))
	var scenes []scene
	for at := 2 * time.Second; at < length; at += 2*time.Second + time.Duration(random.Int64N(int64(3*time.Second))) {
		scenes = append(scenes, scene{at, killWorker})
	}
	troubles := [][2]act{
		{stopWorker, ""}, {killRedis, startRedis}, {slowRedis, steadyRedis}, {cutRedis, mendRedis},
		{slowNATS, steadyNATS}, {cutNATS, mendNATS},
	}
	random.Shuffle(len(troubles), func(i, j int) { troubles[i], troubles[j] = troubles[j], troubles[i] })
	const parts = 8
	part := length / parts
	for i := range parts - 1 { // the last part is left in peace: what was lost comes back in it
		trouble := troubles[i%len(troubles)]
		begin := time.Duration(i)*part + time.Duration(random.Int64N(int64(part/4)))
		scenes = append(scenes, scene{begin, trouble[0]})
		if trouble[1] != "" {
			scenes = append(scenes, scene{begin + part/8 + time.Duration(random.Int64N(int64(part/2))), trouble[1]})
		}
	}
	slices.SortStableFunc(scenes, func(a, b scene) int { return int(a.at - b.at) })
	return scenes
}
