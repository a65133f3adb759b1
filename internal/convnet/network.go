package convnet

import "math"

// Network is a network's weights. It is not changed by running it: sessions share it.
type Network struct {
	Header
	// Version is a short hash of the file.
	Version  string
	layers   []convolution
	head     []float32
	headBias []float32
}

// Session runs one picture at a time; its memory is kept for the next one.
type Session struct {
	network *Network
	picture plane
	planes  []plane
	panel   []float32
	pooled  []float32
	out     []float32
}

// NewSession returns a session that allocates with its first picture, and with larger ones.
func (n *Network) NewSession() *Session {
	deepest := 0
	for _, l := range n.layers {
		deepest = max(deepest, l.depth())
	}
	return &Session{
		network: n, planes: make([]plane, len(n.layers)), panel: make([]float32, width*deepest),
		pooled: make([]float32, n.pooled()), out: make([]float32, len(n.Labels)),
	}
}

// Probabilities tells how likely each label is; the slice holds until the next call.
func (s *Session) Probabilities(in Input) []float32 {
	s.picture.reset(3, in.Width, in.Height)
	s.picture.fill(in.RGB)
	for i := range s.network.layers {
		l := &s.network.layers[i]
		from := s.plane(l.From)
		s.planes[i].reset(l.Out, (from.width-1)/l.Stride+1, (from.height-1)/l.Stride+1)
		var add *plane
		if l.Add != Picture {
			add = &s.planes[l.Add]
		}
		l.run(from, add, &s.planes[i], s.panel)
	}
	pooled := s.pooled
	for _, layer := range s.network.Heads {
		s.planes[layer].pool(pooled)
		pooled = pooled[2*s.planes[layer].channels:]
	}
	s.classify()
	return s.out
}

func (s *Session) plane(layer int) *plane {
	if layer == Picture {
		return &s.picture
	}
	return &s.planes[layer]
}

// classify is the head and its softmax.
func (s *Session) classify() {
	n := s.network
	highest := float32(math.Inf(-1))
	for i := range s.out {
		sum := n.headBias[i]
		for k, w := range n.head[i*len(s.pooled) : (i+1)*len(s.pooled)] {
			sum += w * s.pooled[k]
		}
		s.out[i] = sum
		highest = max(highest, sum)
	}
	total := 0.0
	for i, v := range s.out {
		e := math.Exp(float64(v-highest) / n.Temperature)
		s.out[i] = float32(e)
		total += e
	}
	for i := range s.out {
		s.out[i] = float32(float64(s.out[i]) / total)
	}
}

// plane is a tensor: channels planes of height × width, each within a border of zeros.
type plane struct {
	channels, width, height int
	values                  []float32
}

func (p *plane) stride() int { return p.width + 2 }

// size of one channel.
func (p *plane) size() int { return (p.width + 2) * (p.height + 2) }

func (p *plane) reset(channels, width, height int) {
	p.channels, p.width, p.height = channels, width, height
	n := channels * p.size()
	if cap(p.values) < n {
		p.values = make([]float32, n)
		return
	}
	p.values = p.values[:n]
	clear(p.values)
}

// fill takes a picture: 0 to 255 become −1 to 1.
func (p *plane) fill(rgb []uint8) {
	for y := range p.height {
		for x := range p.width {
			at := (y+1)*p.stride() + x + 1
			pixel := rgb[3*(y*p.width+x):]
			for c := range 3 {
				p.values[c*p.size()+at] = float32(pixel[c])/127.5 - 1
			}
		}
	}
}

// pool writes the mean of every channel, then the maximum of every channel.
func (p *plane) pool(out []float32) {
	for c := range p.channels {
		sum, highest := float32(0), float32(math.Inf(-1))
		for y := range p.height {
			row := p.values[c*p.size()+(y+1)*p.stride()+1:][:p.width]
			for _, v := range row {
				sum += v
				highest = max(highest, v)
			}
		}
		out[c] = sum / float32(p.width*p.height)
		out[p.channels+c] = highest
	}
}
