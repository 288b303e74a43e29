// Command play prints the manifests of a folder in the form that `podman kube play` runs on one
// machine, without a cluster:
//
//	play FOLDER SECRETS
//
// It changes only what podman does not have. Each replica of a Deployment or a StatefulSet
// becomes a Pod, the first one with the name of the workload's Service. A StatefulSet's claim
// becomes a claim. A Secret's files are mounted from SECRETS/NAME, where their owner and mode
// are set already, because podman sets none. Probes are left out, because the test asks the
// pages itself. Ports are left out, because podman would open them on the machine. Namespaces,
// Services, policies and budgets are left out. Everything else stays as it is.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: play FOLDER SECRETS")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "play:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, folder, secrets string) error {
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return fmt.Errorf("building %s: %w", folder, err)
	}
	var out []any
	for _, resource := range all.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return fmt.Errorf("reading %s: %w", resource.OrgId(), err)
		}
		more, err := played(resource.GetKind(), text, secrets)
		if err != nil {
			return fmt.Errorf("%s: %w", resource.OrgId(), err)
		}
		out = append(out, more...)
	}
	for _, one := range out {
		text, err := yaml.Marshal(one)
		if err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		if _, err := fmt.Fprintf(w, "---\n%s", text); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	return nil
}

// played is what one resource becomes.
func played(kind string, text []byte, secrets string) ([]any, error) {
	switch kind {
	case "ConfigMap", "PersistentVolumeClaim":
		var as map[string]any
		if err := yaml.Unmarshal(text, &as); err != nil {
			return nil, fmt.Errorf("decoding: %w", err)
		}
		return []any{as}, nil
	case "Deployment":
		var d apps.Deployment
		if err := yaml.UnmarshalStrict(text, &d); err != nil {
			return nil, fmt.Errorf("decoding: %w", err)
		}
		return pods(*d.Spec.Replicas, d.Spec.Template, nil, secrets), nil
	case "StatefulSet":
		var s apps.StatefulSet
		if err := yaml.UnmarshalStrict(text, &s); err != nil {
			return nil, fmt.Errorf("decoding: %w", err)
		}
		return pods(*s.Spec.Replicas, s.Spec.Template, s.Spec.VolumeClaimTemplates, secrets), nil
	}
	return nil, nil
}

// pods returns the pods of a workload, with their claims.
func pods(replicas int32, template core.PodTemplateSpec, claims []core.PersistentVolumeClaim, secrets string) (out []any) {
	for i := range replicas {
		pod := core.Pod{
			TypeMeta:   meta.TypeMeta{APIVersion: "v1", Kind: "Pod"},
			ObjectMeta: meta.ObjectMeta{Name: template.Labels["app"], Labels: template.Labels},
			Spec:       *template.Spec.DeepCopy(),
		}
		if i > 0 {
			pod.Name += "-" + strconv.Itoa(int(i)+1)
		}
		for _, claim := range claims {
			claim.TypeMeta = meta.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}
			name := claim.Name
			claim.Name += "-" + pod.Name
			out = append(out, claim)
			pod.Spec.Volumes = append(pod.Spec.Volumes, core.Volume{Name: name, VolumeSource: core.VolumeSource{
				PersistentVolumeClaim: &core.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
			}})
		}
		pod.Spec.RestartPolicy = core.RestartPolicyOnFailure
		for j := range pod.Spec.Containers {
			c := &pod.Spec.Containers[j]
			c.StartupProbe = nil
			c.ReadinessProbe = nil
			c.LivenessProbe = nil
			c.Ports = nil
			c.VolumeMounts = mounted(c.VolumeMounts, pod.Spec.Volumes)
		}
		pod.Spec.Volumes = files(pod.Spec.Volumes, secrets)
		out = append(out, pod)
	}
	return out
}

// mounted returns a container's mounts. Keys of a Secret with paths of their own are mounted
// one by one.
func mounted(mounts []core.VolumeMount, volumes []core.Volume) (out []core.VolumeMount) {
	for _, m := range mounts {
		var items []core.KeyToPath
		for _, v := range volumes {
			if v.Name == m.Name && v.Secret != nil {
				items = v.Secret.Items
			}
		}
		if len(items) == 0 {
			out = append(out, m)
		}
		for _, item := range items {
			one := m
			one.Name += "-" + item.Path
			one.MountPath += "/" + item.Path
			out = append(out, one)
		}
	}
	return out
}

// files returns a pod's volumes. Secrets come from the folder.
func files(volumes []core.Volume, secrets string) (out []core.Volume) {
	host := func(name string, path ...string) core.Volume {
		return core.Volume{Name: name, VolumeSource: core.VolumeSource{
			HostPath: &core.HostPathVolumeSource{Path: filepath.Join(append([]string{secrets}, path...)...)},
		}}
	}
	for _, v := range volumes {
		switch {
		case v.Secret == nil:
			out = append(out, v)
		case len(v.Secret.Items) == 0:
			out = append(out, host(v.Name, v.Secret.SecretName))
		default:
			for _, item := range v.Secret.Items {
				out = append(out, host(v.Name+"-"+item.Path, v.Secret.SecretName, item.Key))
			}
		}
	}
	return out
}
