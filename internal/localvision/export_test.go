package localvision

import "github.com/wastecoach/wastecoach/internal/convnet"

// Network shows the tests what is behind the model.
func (m *Model) Network() *convnet.Network { return m.network }

// Occupy takes every session until the returned function gives them back.
func (m *Model) Occupy() func() {
	var taken []*convnet.Session
	for range cap(m.sessions) {
		taken = append(taken, <-m.sessions)
	}
	return func() {
		for _, s := range taken {
			m.sessions <- s
		}
	}
}
