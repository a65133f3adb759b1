// Command idp runs an OpenID provider for labs: it asks for no password.
package main

import (
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/idp"
)

func main() {
	os.Exit(daemon.Main("idp",
		daemon.Command{
			Name: "serve", Help: "log in everybody who asks; for labs only",
			Run: daemon.With(idp.LoadServerConfig, idp.Serve),
		},
	))
}
