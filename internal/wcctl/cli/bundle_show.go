package cli

import (
	"fmt"
	"path"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

func newBundleShow(con *console) *cobra.Command {
	var output outputFormat
	cmd := &cobra.Command{
		Use:   "show DIR",
		Short: "Print what a bundle holds, with versions and sizes",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := openBundle(args[0])
			if err != nil {
				return err
			}
			if output == outputJSON {
				return writeJSON(con.out, b.Lock())
			}
			return showBundle(con, b)
		},
	}
	output.register(cmd)
	return cmd
}

func showBundle(con *console, b *bundle.Bundle) error {
	lock := b.Lock()
	w := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Kubernetes\t%s\n", lock.Kubernetes)
	fmt.Fprintf(w, "for\t%s %s\n", lock.Distribution, lock.Architecture)
	fmt.Fprintf(w, "size\t%s\n", byteSize(b.Size()))
	fmt.Fprintf(w, "files\t%d\n", len(lock.Files))
	fmt.Fprintln(w, "\nCOMPONENT\tVERSION")
	for _, c := range lock.Components {
		fmt.Fprintf(w, "%s\t%s\n", c.Name, c.Version)
	}
	fmt.Fprintln(w, "\nIMAGE\tSIZE")
	for _, i := range lock.Images {
		fmt.Fprintf(w, "%s\t%s\n", i.Ref, byteSize(i.Size))
	}
	fmt.Fprintln(w, "\nFILE\tSIZE")
	for _, f := range lock.Files {
		if path.Dir(f.Path) == "files" {
			fmt.Fprintf(w, "%s\t%s\n", path.Base(f.Path), byteSize(f.Size))
		}
	}
	fmt.Fprintln(w, "\nPACKAGE\tVERSION")
	for _, p := range lock.Packages {
		fmt.Fprintf(w, "%s\t%s\n", p.Name, p.Version)
	}
	return w.Flush()
}

// printBundle says where a bundle is and how large.
func printBundle(con *console, b *bundle.Bundle, output outputFormat) error {
	lock := b.Lock()
	if output == outputJSON {
		return writeJSON(con.out, struct {
			Dir        string `json:"dir"`
			Kubernetes string `json:"kubernetes"`
			Bytes      int64  `json:"bytes"`
			Files      int    `json:"files"`
		}{b.Dir(), lock.Kubernetes, b.Size(), len(lock.Files)})
	}
	_, err := fmt.Fprintf(con.out, "%s: Kubernetes %s, %d images, %d packages, %s\n",
		b.Dir(), lock.Kubernetes, len(lock.Images), len(lock.Packages), byteSize(b.Size()))
	return err
}

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
)

func byteSize(n int64) string {
	if n < mebibyte {
		return fmt.Sprintf("%.1f KiB", float64(n)/kibibyte)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/mebibyte)
}
