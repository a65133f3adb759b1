package deploy_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const provided = "postgres://admin:p%40ss@db.example.com:5432/wc?sslmode=verify-full"

// outside is a world whose database is elsewhere, with these Secrets by namespace/name/key.
func outside(t *testing.T, secrets map[string]string) *world {
	t.Helper()
	w := setup(t)
	w.deployer.Spec.Spec.Platform = map[string]spec.Release{
		"data": {Values: map[string]any{"postgres": map[string]any{"enabled": false}}},
	}
	w.deployer.Spec.Spec.Services = map[string]spec.Service{spec.AllServices: {Values: map[string]any{
		"networkPolicy": map[string]any{"externalData": []any{"10.9.0.0/24"}},
	}}}
	for path, value := range secrets {
		part := strings.Split(path, "/")
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: part[1]}, Data: map[string][]byte{part[2]: []byte(value)},
		}
		if _, err := w.kube.CoreV1().Secrets(part[0]).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestADatabaseOutside: from one Secret come every service's own role and address.
func TestADatabaseOutside(t *testing.T) {
	t.Parallel()
	w := outside(t, map[string]string{"data/postgres/dsn": provided + "\n"})
	w.mustDeploy(t, "1", "")
	read := func(name, key string) string {
		t.Helper()
		secret, err := w.kube.CoreV1().Secrets("waste").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return secret.StringData[key]
	}
	if got := read("migrator", "dsn"); got != provided {
		t.Errorf("the migration connects to %s", got)
	}
	own, err := url.Parse(read("waste", "WASTE_POSTGRES_DSN"))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := own.User.Password()
	if own.Host != "db.example.com:5432" || own.Path != "/wc" || own.RawQuery != "sslmode=verify-full" ||
		own.User.Username() != "waste" || len(password) < 32 {
		t.Errorf("the service connects to %s", own.Redacted())
	}
}

func TestServicesMayHaveADatabaseOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := outside(t, map[string]string{
		"waste/waste/WASTE_POSTGRES_DSN": "postgres://waste:a@db.example.com/wc",
		"waste/migrator/dsn":             provided,
	})
	w.mustDeploy(t, "1", "")
}

func TestADatabaseOutsideThatNobodyReaches(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		secrets map[string]string
		change  func(c *spec.Cluster)
		want    string
	}{
		"no Secret": {nil, nil, "the Secret waste/waste has no WASTE_POSTGRES_DSN, nor has data/postgres a dsn"},
		"half of them": {
			map[string]string{"waste/waste/WASTE_POSTGRES_DSN": "postgres://waste:a@db.example.com/wc"},
			nil,
			"the Secret waste/migrator has no dsn",
		},
		"no address": {
			map[string]string{"data/postgres/dsn": "host=db password=p%40ss"}, nil, "is no postgres://",
		},
		"still ours": {
			map[string]string{
				"data/postgres/dsn":              provided,
				"waste/waste/WASTE_POSTGRES_DSN": "postgres://waste:a@postgres.data.svc:5432/wastecoach",
			}, nil, "waste/waste still names the cluster's own in WASTE_POSTGRES_DSN",
		},
		"behind the policy": {
			map[string]string{"data/postgres/dsn": provided},
			func(c *spec.Cluster) { c.Spec.Services = nil },
			"networkPolicy.externalData of waste names no network with db.example.com",
		},
		"another port": {
			map[string]string{"data/postgres/dsn": strings.Replace(provided, "5432", "6432", 1)},
			nil,
			"at port 5432 only, not 6432",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := outside(t, tt.secrets)
			if tt.change != nil {
				tt.change(w.deployer.Spec)
			}
			err := w.deploy(t, "1", "")
			var none *deploy.NoDatabaseError
			if !errors.As(err, &none) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("no %q in: %v", tt.want, err)
			}
			if strings.Contains(err.Error(), "p%40ss") || strings.Contains(err.Error(), "p@ss") {
				t.Errorf("the password is told: %v", err)
			}
			made, err := w.kube.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
			if err != nil || len(made.Items) > 0 || len(w.revisions) > 0 || w.secrets.data != nil {
				t.Errorf("something was done: %v, %v", made, err)
			}
		})
	}
}
