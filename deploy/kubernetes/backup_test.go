package kubernetes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
)

// cron is a CronJob of the component with the backups.
func (m *manifests) cron(name string) *batch.CronJob {
	m.t.Helper()
	i := slices.IndexFunc(m.crons, func(c batch.CronJob) bool { return c.Name == name })
	if i < 0 {
		m.t.Fatalf("there is no CronJob %s", name)
	}
	return &m.crons[i]
}

// A backup comes every night, one at a time; the shell comes when somebody makes a Job of it. Both
// end by themselves: what hangs would hold the volume. What is cut short and half a day old is no
// job's any more (backup.sh).
func TestBackupsComeOneAtATime(t *testing.T) {
	t.Parallel()
	m := read(t, "testdata/backup")
	backup, shell := &m.cron("backup").Spec, &m.cron("backup-shell").Spec
	if yes(backup.Suspend) || !yes(shell.Suspend) {
		t.Errorf("suspended are backup %v and shell %v, want the shell alone", backup.Suspend, shell.Suspend)
	}
	for _, c := range []*batch.CronJobSpec{backup, shell} {
		job := &c.JobTemplate.Spec
		pod := &job.Template.Spec
		if c.ConcurrencyPolicy != batch.ForbidConcurrent || pod.RestartPolicy != core.RestartPolicyNever || job.TTLSecondsAfterFinished == nil {
			t.Errorf("%s: concurrency %s, restart %s, removed after %v s", pod.Containers[0].Name, c.ConcurrencyPolicy, pod.RestartPolicy,
				job.TTLSecondsAfterFinished)
		}
	}
	first, second := shell.JobTemplate.Spec.ActiveDeadlineSeconds, backup.JobTemplate.Spec.ActiveDeadlineSeconds
	if first == nil || second == nil || *first >= *second || *second >= 12*3600 {
		t.Errorf("the shell ends after %v s and a backup after %v s, want the shell first, and both within half a day", first, second)
	}
}

// A backup and its shell are a producer's process: its rights, its resources, its addresses, and
// of its passwords that of NATS. They write to the claim, which is nobody else's.
func TestBackupsRunAsTheProducer(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"testdata/backup", "testdata/managed-backup", stopped} {
		m := read(t, variant)
		producer := m.workload("producer")
		for _, name := range []string{"backup", "backup-shell"} {
			w := m.workload(name)
			rights := *w.pod.Spec.SecurityContext
			rights.FSGroupChangePolicy = nil // of its volume alone
			if !reflect.DeepEqual(rights, *producer.pod.Spec.SecurityContext) {
				t.Errorf("%s: %s runs with %+v, the producer with %+v", variant, name, rights, producer.pod.Spec.SecurityContext)
			}
			c, p := w.container(), producer.container()
			image := strings.TrimSuffix(p.Image, ":latest") // the base's own tag
			if !reflect.DeepEqual(c.SecurityContext, p.SecurityContext) || !reflect.DeepEqual(c.Resources, p.Resources) || c.Image != image {
				t.Errorf("%s: %s is %s with %+v and %+v, want what the producer has", variant, name, c.Image, c.SecurityContext, c.Resources)
			}
			if !reflect.DeepEqual(m.environment(t, c), m.environment(t, p)) {
				t.Errorf("%s: %s has the environment %v, want that of the producer", variant, name, m.environment(t, c))
			}
			if got := slices.Sorted(slices.Values(claimed(w))); !slices.Equal(got, []string{"backups"}) {
				t.Errorf("%s: %s writes to %v, want the claim backups", variant, name, got)
			}
		}
		if !slices.ContainsFunc(m.claims, func(c core.PersistentVolumeClaim) bool { return c.Name == "backups" }) {
			t.Errorf("%s: there is no claim backups among %v", variant, m.claims)
		}
	}
}

func (m *manifests) workload(name string) *workload {
	m.t.Helper()
	i := slices.IndexFunc(m.workloads, func(w workload) bool { return w.name == name })
	if i < 0 {
		m.t.Fatalf("there is no workload %s", name)
	}
	return &m.workloads[i]
}

// claimed are the claims that a workload mounts.
func claimed(w *workload) (names []string) {
	for _, v := range w.pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil && !v.PersistentVolumeClaim.ReadOnly {
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		}
	}
	return names
}

// The documented line stops all producers and workers, those of every egress, and leaves NATS.
func TestTheDocumentedLineStopsTheFleet(t *testing.T) {
	t.Parallel()
	const line = "replicas: [{name: producer, count: 0}, {name: worker, count: 0}]"
	for _, path := range []string{"docs/backup.md", "deploy/kubernetes/" + stopped + "/kustomization.yaml"} {
		if !strings.Contains(file(t, path), line) {
			t.Errorf("%s has no %s", path, line)
		}
	}
	for _, w := range read(t, stopped).workloads {
		stops := w.product() == "producer.serve" || w.product() == "worker"
		if (w.replicas == 0) != stops {
			t.Errorf("%s has %d replicas, and should be stopped: %t", w.name, w.replicas, stops)
		}
	}
}

// A night's job leaves as many whole backups as it should, the newest ones, with its own; folders
// of other names; and what another job may be writing. It removes what was cut short long ago.
func TestTheScriptKeepsTheNewestBackups(t *testing.T) {
	t.Parallel()
	const script = "components/backup/backup.sh"
	bin, dir := t.TempDir(), t.TempDir()
	const fake = "#!/bin/sh\necho \"$@\" >\"$0.said\"\nmkdir \"$2\" && touch \"$2/manifest.json\"\n"
	must(t, "the command", os.WriteFile(filepath.Join(bin, "producer"), []byte(fake), 0o700))
	for _, name := range []string{"20261120T032300Z", "20261121T032300Z", "20261122T032300Z", "by-hand"} {
		must(t, name, os.Mkdir(filepath.Join(dir, name), 0o700))
		must(t, name, os.WriteFile(filepath.Join(dir, name, "manifest.json"), nil, 0o600))
	}
	long := time.Now().Add(-13 * time.Hour)
	for name, at := range map[string]time.Time{"20261122T040000Z": long, "20261123T032300Z": time.Now()} {
		must(t, name, os.Mkdir(filepath.Join(dir, name), 0o700))
		must(t, name, os.Chtimes(filepath.Join(dir, name), at, at))
	}
	cmd := exec.CommandContext(t.Context(), "sh", script, dir, "3")
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	must(t, string(out), err)

	said, err := os.ReadFile(filepath.Join(bin, "producer.said"))
	must(t, "what the command was given", err)
	words := strings.Fields(string(said))
	if len(words) != 3 || words[0] != "backup" || filepath.Dir(words[1]) != dir || words[2] != "--scores" {
		t.Fatalf("it ran producer %q", said)
	}
	entries, err := os.ReadDir(dir)
	must(t, dir, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{"20261121T032300Z", "20261122T032300Z", "20261123T032300Z", filepath.Base(words[1]), "by-hand"}
	if !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	if !strings.Contains(file(t, "shared/command/settings/producer.txt"), "producer.backup scores ") {
		t.Error("producer backup has no --scores")
	}
}
