package kubernetes_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// variants are all that is shipped: base and overlay as they stand, each component on the base.
var variants = []string{
	"base", "overlays/two-egresses", "testdata/managed-servers", "testdata/inputs-volume", "testdata/backup", "testdata/managed-backup",
}

// workload is a Deployment, a StatefulSet, or a CronJob, which has no selector.
type workload struct {
	kind, name string
	replicas   int32
	selector   *meta.LabelSelector
	pod        core.PodTemplateSpec
	claims     []core.PersistentVolumeClaim
}

// container is the only one of a workload.
func (w *workload) container() *core.Container { return &w.pod.Spec.Containers[0] }

// product is the command of a process of the product, as package command calls it; "" for NATS
// and Redis. In the shell beside the backups, somebody runs `producer restore`.
func (w *workload) product() string {
	switch words := w.container().Command; {
	case w.name == "backup-shell":
		return "producer.restore"
	case w.kind == "CronJob" && words[1] == "/etc/backup/backup.sh":
		return "producer.backup"
	case words[0] == "producer":
		return "producer." + words[1]
	case words[0] == "worker" || words[0] == "mirrorgate":
		return words[0]
	}
	return ""
}

// runs says whether a workload runs all the time.
func (w *workload) runs() bool { return w.kind != "CronJob" }

// manifests are what a variant gives.
type manifests struct {
	t         *testing.T
	workloads []workload
	crons     []batch.CronJob
	services  []core.Service
	budgets   []policy.PodDisruptionBudget
	policies  []network.NetworkPolicy
	configs   map[string]map[string]string
	claims    []core.PersistentVolumeClaim
	namespace core.Namespace
}

// each runs a test for all variants.
func each(t *testing.T, test func(m *manifests)) {
	t.Helper()
	for _, variant := range variants {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			test(read(t, variant))
		})
	}
}

// stopped is an example of the documents. It is no variant: it runs no producer.
const stopped = "testdata/stopped"

// built are the texts of the variants and of the example, each made once.
var built = func() map[string]func() (string, error) {
	all := map[string]func() (string, error){}
	for _, variant := range append(slices.Clone(variants), stopped) {
		all[variant] = sync.OnceValues(func() (string, error) { return build(variant) })
	}
	return all
}()

// build runs kustomize as `kubectl apply -k` does: with its restriction on what files a
// folder may load.
func build(variant string) (string, error) {
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), variant)
	if err != nil {
		return "", err
	}
	text, err := all.AsYaml()
	return string(text), err
}

// read builds a variant and decodes it strictly: no field that the API does not know, none
// twice, and no kind that these tests do not look at. All is in the one namespace.
func read(t *testing.T, variant string) *manifests {
	t.Helper()
	m := &manifests{t: t, configs: map[string]map[string]string{}}
	all, err := built[variant]()
	must(t, variant, err)
	for text := range strings.SplitSeq(all, "\n---\n") {
		var head struct {
			meta.TypeMeta `json:",inline"`

			Metadata meta.ObjectMeta `json:"metadata"`
		}
		must(t, text, yaml.Unmarshal([]byte(text), &head))
		if head.Kind != "Namespace" && head.Metadata.Namespace != "mirrorfleet" {
			t.Errorf("%s %s is in namespace %q", head.Kind, head.Metadata.Name, head.Metadata.Namespace)
		}
		m.add(t, head.APIVersion+" "+head.Kind, text)
	}
	return m
}

func (m *manifests) add(t *testing.T, kind, text string) {
	t.Helper()
	switch kind {
	case "apps/v1 Deployment":
		d := strict[apps.Deployment](t, text)
		m.workloads = append(m.workloads, workload{"Deployment", d.Name, *d.Spec.Replicas, d.Spec.Selector, d.Spec.Template, nil})
	case "apps/v1 StatefulSet":
		s := strict[apps.StatefulSet](t, text)
		m.workloads = append(m.workloads,
			workload{"StatefulSet", s.Name, *s.Spec.Replicas, s.Spec.Selector, s.Spec.Template, s.Spec.VolumeClaimTemplates})
	case "batch/v1 CronJob":
		c := strict[batch.CronJob](t, text)
		m.crons = append(m.crons, c)
		m.workloads = append(m.workloads, workload{"CronJob", c.Name, 1, nil, c.Spec.JobTemplate.Spec.Template, nil})
	case "v1 Service":
		m.services = append(m.services, strict[core.Service](t, text))
	case "policy/v1 PodDisruptionBudget":
		m.budgets = append(m.budgets, strict[policy.PodDisruptionBudget](t, text))
	case "networking.k8s.io/v1 NetworkPolicy":
		m.policies = append(m.policies, strict[network.NetworkPolicy](t, text))
	case "v1 ConfigMap":
		c := strict[core.ConfigMap](t, text)
		m.configs[c.Name] = c.Data
	case "v1 PersistentVolumeClaim":
		m.claims = append(m.claims, strict[core.PersistentVolumeClaim](t, text))
	case "v1 Namespace":
		m.namespace = strict[core.Namespace](t, text)
	default:
		t.Errorf("a %s, of which these tests know nothing", kind)
	}
}

func strict[T any](t *testing.T, text string) (v T) {
	t.Helper()
	must(t, text, yaml.UnmarshalStrict([]byte(text), &v))
	return v
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, what)
	}
}

// environment is what a container finds in its environment: texts, and for a value from a
// Secret the marker "secret NAME/KEY". What it refers to must exist.
func (m *manifests) environment(t *testing.T, c *core.Container) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, from := range c.EnvFrom {
		data, ok := m.configs[from.ConfigMapRef.Name]
		if !ok {
			t.Errorf("%s: no ConfigMap %s", c.Name, from.ConfigMapRef.Name)
		}
		maps.Copy(env, data)
	}
	for _, e := range c.Env {
		env[e.Name] = e.Value
		if e.ValueFrom == nil {
			continue
		}
		switch from := e.ValueFrom; {
		case from.SecretKeyRef != nil:
			env[e.Name] = "secret " + from.SecretKeyRef.Name + "/" + from.SecretKeyRef.Key
		case from.ConfigMapKeyRef != nil:
			value, ok := m.configs[from.ConfigMapKeyRef.Name][from.ConfigMapKeyRef.Key]
			if !ok {
				t.Errorf("%s: no key %s in ConfigMap %s", c.Name, from.ConfigMapKeyRef.Key, from.ConfigMapKeyRef.Name)
			}
			env[e.Name] = value
		case from.FieldRef != nil:
			env[e.Name] = "field " + from.FieldRef.FieldPath
		}
	}
	return env
}

// file reads a file of the repository.
func file(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", path))
	must(t, path, err)
	return string(data)
}

// matches says whether a selector takes pods with these labels.
func matches(t *testing.T, selector *meta.LabelSelector, labels map[string]string) bool {
	t.Helper()
	for key, value := range selector.MatchLabels {
		if labels[key] != value {
			return false
		}
	}
	for _, e := range selector.MatchExpressions {
		if e.Operator != meta.LabelSelectorOpIn {
			t.Fatalf("operator %s, which this test does not know", e.Operator)
		}
		if !slices.Contains(e.Values, labels[e.Key]) {
			return false
		}
	}
	return true
}
