package deploy

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
)

const (
	prepareName  = "prepare"
	prepareTitle = "Namespaces and secrets"
	imagesName   = "images"
	imagesTitle  = "Images on the nodes"
	fieldManager = "wcctl-deploy"
)

// prepare makes the namespaces of the releases, and those Secrets that are missing.
func (d *Deployer) prepare(ctx context.Context, works []work) error {
	if err := d.checkDatabase(ctx, works); err != nil {
		return err
	}
	namespaces := []string{}
	for _, w := range works {
		if err := d.namespace(ctx, w.target.Namespace, w.security()); err != nil {
			return err
		}
		namespaces = append(namespaces, w.target.Namespace)
	}
	return d.secrets(ctx, namespaces)
}

// security is the Pod Security standard of its namespace.
func (w work) security() string {
	switch w.target.Namespace {
	case "storage", ingressNamespace: // folders and ports of the node itself
		return "privileged"
	}
	return "restricted"
}

// namespace makes it, and says which pods it takes.
func (d *Deployer) namespace(ctx context.Context, name, security string) error {
	labels := map[string]string{"app.kubernetes.io/part-of": "wastecoach"}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		labels["pod-security.kubernetes.io/"+mode] = security
	}
	_, err := d.Kube.CoreV1().Namespaces().Apply(ctx, corev1apply.Namespace(name).WithLabels(labels),
		metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("making the namespace %s: %w", name, err)
	}
	return nil
}

// secret reads a Secret; one that is not there is empty.
func (d *Deployer) secret(ctx context.Context, namespace, name string) (map[string][]byte, error) {
	found, err := d.Kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the secret %s/%s: %w", namespace, name, err)
	}
	return found.Data, nil
}

// ensureSecret makes the Secret or adds the keys that it lacks: what is there is never replaced.
func (d *Deployer) ensureSecret(ctx context.Context, namespace, name string, want map[string]string) error {
	client := d.Kube.CoreV1().Secrets(namespace)
	found, err := client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/part-of": "wastecoach"},
			},
			StringData: want,
		}, metav1.CreateOptions{FieldManager: fieldManager})
		if err == nil {
			d.note(prepareName, "", "made the secret "+namespace+"/"+name)
		}
		return secretError(namespace, name, err)
	}
	if err != nil {
		return secretError(namespace, name, err)
	}
	lacks := map[string]string{}
	for key, value := range want {
		if _, has := found.Data[key]; !has {
			lacks[key] = value
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	found.StringData = lacks
	_, err = client.Update(ctx, found, metav1.UpdateOptions{FieldManager: fieldManager})
	return secretError(namespace, name, err)
}

func secretError(namespace, name string, err error) error {
	if err != nil {
		return fmt.Errorf("writing the secret %s/%s: %w", namespace, name, err)
	}
	return nil
}
