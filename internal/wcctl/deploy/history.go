package deploy

import (
	"context"

	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

// Revision is one of a release's history, with its image where it has one.
type Revision struct {
	helm.Revision
	Image string `json:"image,omitempty"`
}

// History lists the revisions of a service, or of what services stand on, the oldest first.
func (d *Deployer) History(release string) ([]Revision, error) {
	namespace := release
	for _, p := range d.platform() {
		if p.name == release {
			namespace = p.space()
		}
	}
	found, err := d.Helm.History(namespace, release)
	if err != nil {
		return nil, err
	}
	revisions := make([]Revision, len(found))
	for i, r := range found {
		revisions[i] = Revision{Revision: r}
		if image := imageFrom(r.Values); image.Repository != "" {
			revisions[i].Image = image.String()
		}
	}
	return revisions, nil
}

// Missing are the services that no requests reach yet, and releases of the platform with a program of ours.
func (d *Deployer) Missing(ctx context.Context) ([]string, error) {
	var missing []string
	for _, service := range Services() {
		now, err := d.live(ctx, service)
		if err != nil {
			return nil, err
		}
		if now.active == "" {
			missing = append(missing, service)
		}
	}
	for _, p := range d.platform() {
		if _, has := ours[p.chart]; !has {
			continue
		}
		revisions, err := d.Helm.History(p.space(), p.name)
		if err != nil {
			return nil, err
		}
		if len(revisions) == 0 {
			missing = append(missing, p.name)
		}
	}
	return missing, nil
}

// Revisions is the newest revision of every release, nil where one is missing.
func (d *Deployer) Revisions() (map[string]int, error) {
	names := Services()
	for _, p := range d.platform() {
		names = append(names, p.name)
	}
	newest := map[string]int{}
	for _, name := range names {
		list, err := d.History(name)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, nil
		}
		newest[name] = list[len(list)-1].Revision.Revision
	}
	return newest, nil
}
